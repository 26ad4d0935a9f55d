package openapi

import (
	"errors"
	"net/url"
	"strings"
)

// A template is a path in segments.
type template []segment

// A segment is the texts around its parameters: of {id}.json "" and ".json". One without a
// parameter has one text.
type segment []string

func parse(path string) (template, error) {
	var t template
	if len(path) > 1 {
		path = strings.TrimRight(path, "/")
	}
	for part := range strings.SplitSeq(path, "/") {
		var s segment
		for {
			text, rest, found := strings.Cut(part, "{")
			if strings.Contains(text, "}") {
				return nil, errors.New(`a "}" closes nothing`)
			}
			s = append(s, text)
			if !found {
				break
			}
			name, after, closed := strings.Cut(rest, "}")
			if !closed || name == "" || strings.Contains(name, "{") {
				return nil, errors.New(`a parameter is not written as {name} within a segment`)
			}
			part = after
		}
		t = append(t, s)
	}
	return t, nil
}

// fits reports whether a path in segments is one of the template's.
func (t template) fits(parts []string) bool {
	if len(parts) != len(t) {
		return false
	}
	for i, s := range t {
		if !s.fits(parts[i]) {
			return false
		}
	}
	return true
}

// fits reports whether a part of a path is one of the segment's; a parameter is never empty.
func (s segment) fits(part string) bool {
	if len(s) == 1 && s[0] == part {
		return true
	}
	part, err := url.PathUnescape(part)
	if err != nil {
		return false
	}
	if len(s) == 1 {
		return s[0] == part
	}
	rest, ok := strings.CutPrefix(part, s[0])
	if !ok {
		return false
	}
	last := s[len(s)-1]
	for _, text := range s[1 : len(s)-1] {
		at := -1
		if len(rest) > 0 {
			at = strings.Index(rest[1:], text)
		}
		if at < 0 {
			return false
		}
		rest = rest[1+at+len(text):]
	}
	return len(rest) > len(last) && strings.HasSuffix(rest, last)
}

// before reports whether t says more than another template that fits the same path.
func (t template) before(other template) bool {
	for i := range t {
		x, y := t[i], other[i]
		if len(x) == 1 != (len(y) == 1) {
			return len(x) == 1
		}
		if len(x) > 1 {
			if m, n := len(strings.Join(x, "")), len(strings.Join(y, "")); m != n {
				return m > n
			}
		}
	}
	return false
}
