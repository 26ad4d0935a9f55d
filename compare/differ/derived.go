package differ

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A template is a value made from an identifier: ORD-{order}.
type template struct{ prefix, namespace, suffix string }

func parseTemplate(text string) (template, error) {
	prefix, rest, found := strings.Cut(text, "{")
	namespace, suffix, closed := strings.Cut(rest, "}")
	if !found || !closed || namespace == "" || strings.ContainsAny(namespace+suffix, "{}") {
		return template{}, fmt.Errorf("%q needs exactly one namespace in braces, as ORD-{order}", text)
	}
	if prefix+suffix == "" {
		return template{}, fmt.Errorf("%q is nothing but a namespace; use an ids rule", text)
	}
	return template{prefix, namespace, suffix}, nil
}

// id returns the identifier within text, without padding.
func (t template) id(text string) (string, bool) {
	id, ok := strings.CutPrefix(text, t.prefix)
	if !ok {
		return "", false
	}
	if id, ok = strings.CutSuffix(id, t.suffix); !ok || id == "" {
		return "", false
	}
	return unpadded(id), true
}

func unpadded(id string) string {
	if !isDigits(id) {
		return id
	}
	if short := strings.TrimLeft(id, "0"); short != "" {
		return short
	}
	return "0"
}

// checkDerived says whether two texts are made from the same identifier, by the declared
// templates.
func (w *walk) checkDerived(x, y string) verdict {
	if w.ids == nil {
		return unknown
	}
	for _, t := range w.d.derived {
		a, ok := t.id(x)
		if !ok {
			continue
		}
		b, ok := t.id(y)
		if !ok || len(x) != len(y) && (strings.HasPrefix(x[len(t.prefix):], "0") || strings.HasPrefix(y[len(t.prefix):], "0")) {
			continue // another format
		}
		if v := w.ids.check(t.namespace, a, b); v != unknown {
			return v
		}
	}
	return unknown
}

// sameText reports whether two texts are equal but for origins and bound identifiers
// within them. tokens, if not nil, says more token pairs that are equal.
func (w *walk) sameText(x, y string, tokens func(a, b string) bool) bool {
	for _, origin := range w.d.rules.BeforeOrigins {
		x = strings.ReplaceAll(x, origin, "")
	}
	for _, origin := range w.d.rules.AfterOrigins {
		y = strings.ReplaceAll(y, origin, "")
	}
	if x == y {
		return true
	}
	if tokens == nil && w.ids == nil {
		return false
	}
	if w.sameTokens(x, y, tokens) {
		return true
	}
	a, okA := readable(x)
	b, okB := readable(y)
	return okA && okB && w.sameTokens(a, b, tokens)
}

// readable decodes base64 text (a cursor) that holds plain text.
func readable(s string) (string, bool) {
	if len(s) < 4 || len(s) > 4096 || !tokenBytes(s) {
		return "", false
	}
	trimmed := strings.TrimRight(s, "=")
	raw, err := base64.RawURLEncoding.DecodeString(trimmed)
	if err != nil {
		if raw, err = base64.RawStdEncoding.DecodeString(trimmed); err != nil {
			return "", false
		}
	}
	for _, c := range string(raw) {
		if c == utf8.RuneError || c < ' ' {
			return "", false
		}
	}
	return string(raw), true
}

// maxTokenised bounds the texts that are compared token by token, and maxToken the token:
// what is longer is taken for plain text.
const (
	maxTokenised = 2 << 20
	maxToken     = 256
	maxJWT       = 4096
)

// sameTokens walks both texts token by token; what lies between tokens must be equal.
func (w *walk) sameTokens(x, y string, tokens func(a, b string) bool) bool {
	if len(x)+len(y) > maxTokenised {
		return false
	}
	prose := strings.ContainsAny(x, " \t\n")
	for x != "" && y != "" {
		if w.ids != nil && wordByte(x[0]) && wordByte(y[0]) {
			a, b := nextWord(x), nextWord(y)
			if a != b && w.ids.renamed(a, b) {
				x, y = x[len(a):], y[len(b):]
				continue
			}
		}
		a, b := nextToken(x), nextToken(y)
		x, y = x[len(a):], y[len(b):]
		if a == b {
			continue
		}
		if w.sameToken(a, b, prose) || tokens != nil && tokens(a, b) {
			continue
		}
		return false
	}
	return x == y
}

// sameToken compares one token. Short numbers in prose are amounts more often than
// identifiers, so they are not substituted.
func (w *walk) sameToken(a, b string, prose bool) bool {
	if w.ids == nil {
		return false
	}
	if !isDigits(a) || !isDigits(b) {
		return isOpaque(a) && w.ids.check("", a, b) == same
	}
	if prose && len(a) < 3 && len(b) < 3 {
		return false
	}
	if (a[0] == '0' || b[0] == '0') && len(a) != len(b) {
		return false
	}
	return w.ids.anywhere(unpadded(a), unpadded(b))
}

// nextToken cuts the token that s begins with: an opaque value, digits, or the text up
// to the next of those.
func nextToken(s string) string {
	if len(s) >= 36 && isUUID(s[:36]) {
		return s[:36]
	}
	if digit(s[0]) || letter(s[0]) {
		jwt := strings.HasPrefix(s, "eyJ")
		start := s[:min(len(s), maxToken)]
		if jwt {
			start = s[:min(len(s), maxJWT)]
		}
		word := span(start, func(c byte) bool { return digit(c) || letter(c) })
		long := span(start, func(c byte) bool { return digit(c) || letter(c) || c == '-' || c == '_' || c == '.' && jwt })
		switch {
		case isOpaque(long) && !hasUUID(long):
			return long
		case isOpaque(word):
			return word
		case digit(s[0]):
			return span(s, digit)
		}
		return span(s, letter)
	}
	return span(s, func(c byte) bool { return !digit(c) && !letter(c) })
}

func hasUUID(s string) bool {
	for i := 0; i+36 <= len(s); i++ {
		if isUUID(s[i : i+36]) {
			return true
		}
	}
	return false
}

func span(s string, is func(byte) bool) string {
	end := 0
	for end < len(s) && is(s[end]) {
		end++
	}
	return s[:end]
}

func digit(c byte) bool  { return '0' <= c && c <= '9' }
func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// The levels of masking, each hiding more of a text that is noise.
const (
	nothingMasked = iota
	generatedMasked
	numbersMasked
	allMasked
)

// masked reports whether texts are equal when tokens up to level count as equal.
func (w *walk) masked(x, y string, level int) bool {
	switch level {
	case nothingMasked:
		return w.sameText(x, y, nil)
	case allMasked:
		return (x == "") == (y == "")
	}
	return w.sameText(x, y, func(a, b string) bool {
		if isOpaque(a) && isOpaque(b) {
			return textShape(a).base == textShape(b).base
		}
		return level >= numbersMasked && isDigits(a) && isDigits(b)
	})
}
