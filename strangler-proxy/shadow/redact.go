package shadow

import (
	"encoding/json"
	"fmt"
	"net/http"
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

// text takes out secrets by value, and what looks like one.
func (r *redaction) text(s string) string { return r.scrub(r.names.Text(s)) }

func (r *redaction) scrub(s string) string {
	for _, secret := range r.values {
		s = strings.ReplaceAll(s, secret, hidden)
	}
	return r.scrubCut(r.scrubRest(s))
}

// scrubRest takes out what is left of a secret around a part of it that was taken out.
func (r *redaction) scrubRest(s string) string {
	for _, secret := range r.values {
		for k := 1; k < len(secret)-1 && strings.Contains(s, hidden); k++ {
			s = strings.ReplaceAll(s, hidden+secret[k:], hidden)
			s = strings.ReplaceAll(s, secret[:len(secret)-k]+hidden, hidden)
		}
	}
	return s
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
