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
	"regexp"
	"slices"
	"strings"
)

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
	if json.Valid(body) {
		r.learnValues(body)
		return
	}
	r.learnText(string(body))
	for line := range bytes.Lines(body) { // also of JSON that is a part of something else
		if at := bytes.IndexAny(line, "{["); at >= 0 {
			r.learnValues(line[at:])
		}
	}
	r.learnValues(body)
}

// learnValues reads JSON as far as it is some.
func (r *redaction) learnValues(text []byte) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for r.learnJSON(decoder, false) == nil {
	}
}

// namedValue is a name with what a text gives it: password=x, "pin": "x y", token: x.
var namedValue = regexp.MustCompile(`([A-Za-z][\w.-]*)["']?\s*[=:]\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"'<>]+))`)

func (r *redaction) learnText(text string) {
	for _, m := range namedValue.FindAllStringSubmatch(text, -1) {
		if !r.isSecret(m[1]) {
			continue
		}
		r.secret(m[2] + m[3] + m[4]) // two of them are empty
		var plain string
		if json.Unmarshal([]byte(`"`+m[2]+`"`), &plain) == nil {
			r.secret(plain)
		}
		for part := range strings.FieldsFuncSeq(m[4], func(c rune) bool { return strings.ContainsRune("&;,", c) }) {
			r.secret(part)
			break
		}
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
