package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// hiddenText is what a Redactor puts in place of a secret.
var hiddenText = regexp.MustCompile(`h:[0-9a-f]{12}\b`)

// words are what identifiers and tokens are made of.
var (
	longWord  = regexp.MustCompile(`h:[0-9a-f]{12}\b|[A-Za-z0-9_-]{12,}`)
	idMember  = regexp.MustCompile(`("(?:id|[a-z_]*_ids?|[a-zA-Z]+Ids?)"\s*:\s*"?)(\d+)`)
	wholeWord = regexp.MustCompile(`^(?:h:[0-9a-f]{12}|[A-Za-z0-9_.~+/=-]{12,})$`)
)

// A renaming knows what recorded values are called in a replay. Long values have one name
// everywhere; short numbers only where they identify something.
type renaming struct {
	long    map[string]string
	numbers map[string]string // ambiguous ones are empty
}

func newRenaming() *renaming { return &renaming{map[string]string{}, map[string]string{}} }

func (n *renaming) text(s string) string {
	return longWord.ReplaceAllStringFunc(s, func(word string) string {
		if now, ok := n.long[word]; ok {
			return now
		}
		return word
	})
}

func (n *renaming) body(b []byte) []byte {
	return idMember.ReplaceAllFunc([]byte(n.text(string(b))), func(m []byte) []byte {
		parts := idMember.FindSubmatch(m)
		if now := n.numbers[string(parts[2])]; now != "" {
			return append(bytes.Clone(parts[1]), now...)
		}
		return m
	})
}

func (n *renaming) path(p string) string {
	path, query, found := strings.Cut(p, "?")
	parts := strings.Split(path, "/")
	for i, s := range parts {
		if now := n.numbers[s]; now != "" {
			parts[i] = now
		}
	}
	path = n.text(strings.Join(parts, "/"))
	if !found {
		return path
	}
	fields := strings.Split(query, "&")
	for i, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		if now := n.numbers[value]; now != "" && (name == "id" || strings.HasSuffix(name, "_id")) {
			fields[i] = name + "=" + now
		}
	}
	return path + "?" + n.text(strings.Join(fields, "&"))
}

// learn holds the recorded answer against the new one.
func (n *renaming) learn(recorded *Message, h http.Header, body []byte) {
	old, now := setCookies(recorded.Header), setCookies(h)
	for name, v := range old {
		if now[name] != "" {
			n.rename(v, now[name])
		}
	}
	x, y := strings.Split(recorded.Header.Get("Location"), "/"), strings.Split(h.Get("Location"), "/")
	if len(x) == len(y) {
		for i := range x {
			n.rename(x[i], y[i])
			n.number(x[i], y[i])
		}
	}
	var a, b any
	if decodeNumbers(recorded.Body, &a) == nil && decodeNumbers(body, &b) == nil {
		n.values("", a, b)
	}
}

func decodeNumbers(text []byte, into *any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(into)
}

func setCookies(h http.Header) map[string]string {
	all := map[string]string{}
	for _, line := range h["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil {
			all[c.Name] = c.Value
		}
	}
	return all
}

func (n *renaming) values(name string, a, b any) {
	switch a := a.(type) {
	case map[string]any:
		if b, ok := b.(map[string]any); ok {
			for k := range a {
				n.values(k, a[k], b[k])
			}
		}
	case []any:
		if b, ok := b.([]any); ok && len(a) == len(b) {
			for i := range a {
				n.values(name, a[i], b[i])
			}
		}
	case string:
		if b, ok := b.(string); ok {
			n.rename(a, b)
		}
	case json.Number:
		if name == "id" || strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "Id") {
			n.number(a.String(), fmt.Sprint(b))
		}
	}
}

func (n *renaming) rename(old, now string) {
	if old != now && now != "" && wholeWord.MatchString(old) {
		n.long[old] = now
	}
}

// number notes what a number is called now; one that is called in two ways says nothing.
func (n *renaming) number(old, now string) {
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if !digits(old) || !digits(now) {
		return
	}
	if have, known := n.numbers[old]; known && have != now {
		n.numbers[old] = ""
		return
	}
	n.numbers[old] = now
}
