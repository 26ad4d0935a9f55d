package route

import (
	"errors"
	"strings"
)

// Errors of paths that no side may see.
var (
	ErrControlByte   = errors.New("the path holds a control byte")
	ErrBadEscape     = errors.New("the path holds a broken percent-encoding")
	ErrNotAbsolute   = errors.New("the path does not start with a slash")
	ErrTooDeep       = errors.New("the path has too many segments for one with encoded bytes, dots or empty segments")
	ErrAmbiguousPath = errors.New("the path can be read in two ways that belong to different routes")
)

// plain reports whether every server reads path the same way: nothing encoded, no
// dot segment, no empty segment inside, no backslash.
func plain(path string) bool {
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '%' || c == '\\' || c < 0x20 || c == 0x7f:
			return false
		case c == '/' && i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.'):
			return false
		}
	}
	return true
}

// decode undoes percent-encoding once. Unlike url.PathUnescape it refuses control bytes.
func decode(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		if hasControl(s) {
			return "", ErrControlByte
		}
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return "", ErrBadEscape
			}
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		}
		if c < 0x20 || c == 0x7f {
			return "", ErrControlByte
		}
		b = append(b, c)
	}
	return string(b), nil
}

func hasControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return true
		}
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

// limitReadSegments is how deep a path may be that must be read in several ways: each
// way costs time for every segment, and no honest path comes near.
const limitReadSegments = 256

func countSegments(decoded string) int {
	return strings.Count(decoded, "/") + strings.Count(decoded, `\`)
}

// A reading is one way in which a server behind the proxy might understand a path.
// The zero value is the one of RFC 3986: split at "/", then decode each segment.
type reading struct {
	decodeFirst bool // %2f becomes a separator
	backslash   bool // "\" is a separator too
	merge       bool // empty segments vanish
	dots        bool // "." and ".." are resolved, at the end to a folder: "/a/.." is "/"
	bare        bool // … at the end without the slash: "/a/b/.." is "/a"
	parameters  bool // … also with parameters: "/a/..;x" is "/"
}

// readings returns the ways that can make a difference for path, the plain one first.
func readings(path string) []reading {
	all := []reading{{}}
	vary := func(set func(*reading)) {
		for _, r := range all {
			set(&r)
			all = append(all, r)
		}
	}
	decoded, _ := decode(path)
	all = append(all, reading{dots: true}, reading{dots: true, bare: true})
	if strings.Contains(decoded, `\`) {
		vary(func(r *reading) { r.backslash = true })
	}
	if decoded != path {
		vary(func(r *reading) { r.decodeFirst = true })
	}
	if strings.Contains(decoded, ".;") {
		vary(func(r *reading) { r.parameters = true })
	}
	if strings.Contains(decoded, "//") || strings.ContainsAny(decoded, `\`) || decoded != path {
		vary(func(r *reading) { r.merge = true })
	}
	return all
}

// segments splits path as r reads it, each segment decoded.
func (r reading) segments(path string) ([]string, error) {
	if r.decodeFirst {
		decoded, err := decode(path)
		if err != nil {
			return nil, err
		}
		path = decoded
	}
	if r.backslash {
		path = strings.ReplaceAll(path, `\`, "/")
		if !r.decodeFirst {
			path = strings.NewReplacer("%5c", "/", "%5C", "/").Replace(path)
		}
	}
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if !r.decodeFirst {
		for i, p := range parts {
			decoded, err := decode(p)
			if err != nil {
				return nil, err
			}
			parts[i] = decoded
		}
	}
	if r.merge {
		parts = mergeEmpty(parts)
	}
	if r.parameters {
		cutParameters(parts)
	}
	if r.dots {
		parts = resolveDots(parts, r.bare)
	}
	return parts, nil
}

// cutParameters makes "..;x" a dot segment, as servlet containers do.
func cutParameters(parts []string) {
	for i, p := range parts {
		if bare, _, _ := strings.Cut(p, ";"); bare == "." || bare == ".." {
			parts[i] = bare
		}
	}
}

// mergeEmpty drops empty segments except a trailing one, which is a trailing slash.
func mergeEmpty(parts []string) []string {
	kept := parts[:0:0]
	for i, p := range parts {
		if p != "" || i == len(parts)-1 {
			kept = append(kept, p)
		}
	}
	return kept
}

func resolveDots(parts []string, bare bool) []string {
	kept := parts[:0:0]
	for i, p := range parts {
		last := i == len(parts)-1
		switch p {
		case ".", "..":
			if p == ".." && len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last && !bare {
				kept = append(kept, "") // "/a/." is the folder "/a/"
			}
		default:
			kept = append(kept, p)
		}
	}
	return kept
}
