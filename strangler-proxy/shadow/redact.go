package shadow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/compare/differ"
)

const (
	hidden = "(secret)"
	// shortest is the length from which on a secret is looked for everywhere: shorter
	// ones occur by chance.
	shortest = 4
	// limitShown bounds the request's body in a record.
	limitShown = 4 << 10
)

// A redaction takes the secrets of one exchange out of what is kept of it, in two ways:
// by their names where names stand, and by their values everywhere.
type redaction struct {
	names  *differ.Redactor
	values []string // the longest first
}

func newRedaction(names *differ.Redactor) *redaction { return &redaction{names: names} }

// learn gathers the secrets of an exchange.
func (r *redaction) learn(target string, fields http.Header, c *comparison) {
	for _, h := range []http.Header{fields, c.monolith.Header, c.service.Header} {
		r.learnHeader(h)
	}
	_, query, _ := strings.Cut(target, "?")
	r.learnForm(query)
	r.learnBody(fields.Get("Content-Type"), c.request)
	r.learnBody(c.monolith.Header.Get("Content-Type"), c.monolith.Body)
	r.learnBody(c.service.Header.Get("Content-Type"), c.service.Body)
	slices.SortFunc(r.values, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	r.values = slices.Compact(r.values)
}

// secret notes a value in the spellings in which it may occur again.
func (r *redaction) secret(value string) {
	value = strings.TrimSpace(value)
	spellings := []string{value, url.QueryEscape(value), url.PathEscape(value)}
	if text, err := json.Marshal(value); err == nil {
		spellings = append(spellings, string(text[1:len(text)-1]))
	}
	for _, s := range spellings {
		if len(s) >= shortest {
			r.values = append(r.values, s)
		}
	}
}

func (r *redaction) learnHeader(h http.Header) {
	for name, values := range h {
		for _, v := range values {
			switch canonical := http.CanonicalHeaderKey(name); {
			case canonical == "Cookie":
				for pair := range strings.SplitSeq(v, ";") {
					r.learnCookie(pair)
				}
			case canonical == "Set-Cookie":
				pair, _, _ := strings.Cut(v, ";")
				r.learnCookie(pair)
			case r.isSecret(name):
				r.secret(v)
				if _, credentials, ok := strings.Cut(strings.TrimSpace(v), " "); ok { // as in Bearer …
					r.secret(credentials)
				}
			}
		}
	}
}

func (r *redaction) learnCookie(pair string) {
	_, value, found := strings.Cut(pair, "=")
	if !found {
		value = pair
	}
	r.secret(strings.Trim(strings.TrimSpace(value), `"`))
}

func (r *redaction) learnForm(form string) {
	for pair := range strings.FieldsFuncSeq(form, func(c rune) bool { return c == '&' || c == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if r.isSecret(unescape(name)) {
			r.secret(value)
			r.secret(unescape(value))
		}
	}
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// isSecret also knows the names that forms make, as user[pin] and user.pin.
func (r *redaction) isSecret(name string) bool {
	if r.names.Secret(name) {
		return true
	}
	parts := strings.FieldsFunc(name, func(c rune) bool { return c == '[' || c == ']' || c == '.' })
	return slices.ContainsFunc(parts, r.names.Secret)
}

func (r *redaction) learnBody(contentType string, body []byte) {
	if isForm(contentType) {
		r.learnForm(string(body))
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	for r.learnJSON(decoder, false) == nil { // more than one in a body of lines
	}
}

// learnJSON reads one value; secret says that it belongs to the name of a secret.
func (r *redaction) learnJSON(d *json.Decoder, secret bool) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		if v != '[' && v != '{' {
			return errors.New("unbalanced")
		}
		for d.More() {
			inner := secret
			if v == '{' {
				name, err := d.Token()
				if err != nil {
					return err
				}
				inner = secret || r.isSecret(fmt.Sprint(name))
			}
			if err := r.learnJSON(d, inner); err != nil {
				return err
			}
		}
		_, err = d.Token()
		return err
	case string:
		if secret {
			r.secret(v)
		}
	case json.Number:
		if secret {
			r.secret(v.String())
		}
	}
	return nil
}

func isForm(contentType string) bool {
	kind, _, _ := mime.ParseMediaType(contentType)
	return kind == "application/x-www-form-urlencoded"
}

// text takes out secrets by value, and what looks like one.
func (r *redaction) text(s string) string { return r.scrub(r.names.Text(s)) }

func (r *redaction) scrub(s string) string {
	for _, secret := range r.values {
		s = strings.ReplaceAll(s, secret, hidden)
	}
	return r.scrubCut(s)
}

// scrubCut takes out the beginning of a secret where a text was cut short.
func (r *redaction) scrubCut(s string) string {
	before, after, found := strings.Cut(s, "… (")
	if !found {
		return s
	}
	for _, secret := range r.values {
		for n := len(secret) - 1; n >= shortest; n-- {
			if rest, ok := strings.CutSuffix(before, secret[:n]); ok {
				return rest + hidden + "… (" + r.scrubCut(after)
			}
		}
	}
	return before + "… (" + r.scrubCut(after)
}

// target is a path with its query.
func (r *redaction) target(target string) string {
	path, query, found := strings.Cut(target, "?")
	path = r.text(path)
	if found {
		path += "?" + r.form(query)
	}
	return path
}

// form is a query or a form, name by name, in its own spelling.
func (r *redaction) form(form string) string {
	var out strings.Builder
	for form != "" {
		end := strings.IndexAny(form, "&;")
		pair, separator := form, ""
		if end >= 0 {
			pair, separator = form[:end], form[end:end+1]
		}
		form = form[len(pair)+len(separator):]
		name, value, found := strings.Cut(pair, "=")
		switch plain := unescape(value); {
		case found && value != "" && (r.isSecret(unescape(name)) || r.names.Text(plain) != plain):
			pair = r.text(name) + "=" + hidden
		default:
			pair = r.text(pair)
		}
		out.WriteString(pair + separator)
	}
	return out.String()
}

// lines are the fields of a head, in their order.
func (r *redaction) lines(head []byte) []string {
	list := []string{}
	for i, line := range headLines(head) {
		if i == 0 {
			continue
		}
		name, value, _ := strings.Cut(string(line), ":")
		canonical := http.CanonicalHeaderKey(name)
		value = strings.TrimSpace(value)
		switch {
		case canonical != "Cookie" && r.isSecret(name):
			value = hidden
		case canonical == "Referer":
			value = r.target(value)
		default:
			value = r.names.Header(http.Header{canonical: {value}}).Get(canonical)
		}
		list = append(list, name+": "+r.scrub(value))
	}
	return list
}

// body is the request's body, if it has names in it: of another one only the length is
// told.
func (r *redaction) body(contentType string, body []byte) string {
	switch {
	case len(body) == 0:
		return ""
	case isForm(contentType):
		return r.shorten(r.scrub(r.form(string(body))))
	case json.Valid(body):
		return r.shorten(r.scrub(string(r.names.Body(body))))
	}
	return fmt.Sprintf("(%d bytes)", len(body))
}

func (r *redaction) shorten(s string) string {
	if len(s) <= limitShown {
		return s
	}
	return r.scrub(strings.ToValidUTF8(s[:limitShown], "") + fmt.Sprintf("… (%d bytes)", len(s)))
}

func (r *redaction) findings(list []differ.Finding) []differ.Finding {
	out := slices.Clone(list)
	for i := range out {
		f := &out[i]
		for _, text := range []*string{&f.Pointer, &f.Class, &f.Before, &f.After, &f.Explanation, &f.Diff} {
			*text = r.scrub(*text)
		}
	}
	return out
}
