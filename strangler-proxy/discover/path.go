package discover

import (
	"strings"
	"unicode/utf8"
)

// A step is a segment of a request's path.
type step struct {
	text string // decoded
	kind kind
}

// split cuts a path into its steps, which it appends to steps. It fails for paths that
// no template of a route can describe, such as one with an empty segment inside.
func split(steps []step, path string) ([]step, bool) {
	rest, ok := strings.CutPrefix(path, "/")
	for more := true; ok && more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segment == "" && more {
			return steps, false
		}
		if segment, ok = decode(segment); !ok {
			return steps, false
		}
		s := step{segment, classify(segment)}
		if !utf8.ValidString(segment) {
			s.kind = ident
		}
		steps = append(steps, s)
	}
	return steps, ok
}

// decode undoes percent-encoding; it fails where the result could mean more than one
// segment, or none.
func decode(s string) (string, bool) {
	if strings.IndexByte(s, '%') >= 0 {
		b := make([]byte, 0, len(s))
		for i := 0; i < len(s); i++ {
			c := s[i]
			if c == '%' {
				if i+2 >= len(s) || !isHexDigit(s[i+1]) || !isHexDigit(s[i+2]) {
					return "", false
				}
				c = hexValue(s[i+1])<<4 | hexValue(s[i+2])
				i += 2
			}
			b = append(b, c)
		}
		s = string(b)
	}
	if bare, _, _ := strings.Cut(s, ";"); bare == "." || bare == ".." {
		return "", false
	}
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == 0x7f || c == '/' || c == '\\' || c == '?' || c == '#' {
			return "", false
		}
	}
	return s, true
}

func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
