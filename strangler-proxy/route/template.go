// Package route decides which side answers a request. Everything in it is a pure
// function of immutable values: a Table never changes after Build and may be used by
// any number of goroutines.
//
// A path is matched segment by segment in one model that matching and forwarding
// share; a path that different servers could read in different ways, so that it
// would select different routes, is refused and never forwarded.
package route

import (
	"fmt"
	"net/url"
	"strings"
)

// A Template is the pattern of a match: an optional method and a path of literal
// segments, placeholders such as {id} (one non-empty segment each) and, at the end
// only, ** (any number of segments, also none). It may ask for a host, headers and
// query parameters too.
type Template struct {
	Method     string // empty means every method
	source     string
	segments   []segment
	conditions *conditions // nil if there are none
	secret     bool        // a placeholder stands for one
}

type segmentKind int

// In the order of preference: what matches less comes first.
const (
	literal segmentKind = iota
	placeholder
	rest
)

type segment struct {
	kind segmentKind
	text string // of a literal, decoded
}

// String is the template as it was written, and its conditions.
func (t Template) String() string {
	if t.conditions == nil {
		return t.source
	}
	return t.source + " " + t.conditions.String()
}

// Path is the template without its method.
func (t Template) Path() string {
	return t.source[strings.IndexByte(t.source, '/'):]
}

// ParseTemplate reads "GET /orders/{id}/items/**" or the same without a method.
func ParseTemplate(s string) (Template, error) {
	fields := strings.Fields(s)
	var method, path string
	switch len(fields) {
	case 1:
		path = fields[0]
	case 2:
		method, path = fields[0], fields[1]
	default:
		return Template{}, fmt.Errorf(`a match is "METHOD /path" or "/path"`)
	}
	if err := checkMethod(method); err != nil {
		return Template{}, err
	}
	names := map[string]bool{}
	segments, err := parseSegments(path, names)
	if err != nil {
		return Template{}, err
	}
	t := Template{Method: method, source: strings.Join(fields, " "), segments: segments}
	for name := range names {
		t.secret = t.secret || isSecretName(name)
	}
	return t, nil
}

func checkMethod(method string) error {
	for _, r := range method {
		if (r < 'A' || r > 'Z') && r != '-' && r != '_' {
			return fmt.Errorf("method %q: a method is written in capitals, such as GET", method)
		}
	}
	if method == "CONNECT" {
		return fmt.Errorf("method CONNECT is never forwarded")
	}
	return nil
}

func parseSegments(path string, names map[string]bool) ([]segment, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf(`the path %q must start with "/"`, path)
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		return nil, fmt.Errorf("the path must end before %q: routes match paths, not queries", path[i])
	}
	parts := strings.Split(path[1:], "/")
	segments := make([]segment, 0, len(parts))
	for i, part := range parts {
		s, err := parseSegment(part, names)
		if err != nil {
			return nil, err
		}
		last := i == len(parts)-1
		if s.kind == rest && !last {
			return nil, fmt.Errorf("** may only stand at the end of a path")
		}
		if s.kind == literal && s.text == "" && !last {
			return nil, fmt.Errorf("the path has an empty segment (//)")
		}
		segments = append(segments, s)
	}
	return segments, nil
}

func parseSegment(part string, names map[string]bool) (segment, error) {
	switch {
	case part == "**":
		return segment{kind: rest}, nil
	case strings.Contains(part, "*"):
		return segment{}, fmt.Errorf("segment %q: use {name} for one segment and ** at the end for any number", part)
	case strings.HasPrefix(part, "{") && strings.HasSuffix(part, "}"):
		return parsePlaceholder(part, names)
	case strings.ContainsAny(part, "{}"):
		return segment{}, fmt.Errorf("segment %q: a placeholder must be a whole segment, such as {id}", part)
	}
	text, err := url.PathUnescape(part)
	if err != nil {
		return segment{}, fmt.Errorf("segment %q: %w", part, err)
	}
	if text == "." || text == ".." || strings.ContainsAny(text, "/\\") || hasControl(text) {
		return segment{}, fmt.Errorf("segment %q can never match: such paths are refused", part)
	}
	return segment{kind: literal, text: text}, nil
}

func parsePlaceholder(part string, names map[string]bool) (segment, error) {
	name := part[1 : len(part)-1]
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return segment{}, fmt.Errorf("segment %q: a placeholder is a name of letters, digits, - and _ in braces", part)
	}
	if names[name] {
		return segment{}, fmt.Errorf("placeholder {%s} stands there twice", name)
	}
	names[name] = true
	return segment{kind: placeholder}, nil
}

// SameMatch reports whether t and o match exactly the same requests, which makes a
// choice between them impossible.
func (t Template) SameMatch(o Template) bool {
	return t.Key() == o.Key()
}

// shape is the path with the names of placeholders left out.
func (t Template) shape() string {
	var b strings.Builder
	for _, s := range t.segments {
		b.WriteByte('/')
		switch s.kind {
		case literal:
			b.WriteString("=" + s.text)
		case placeholder:
			b.WriteString("{}")
		case rest:
			b.WriteString("**")
		}
	}
	return b.String()
}

// Key is equal for two templates exactly when SameMatch holds.
func (t Template) Key() string {
	key := t.Method + " " + t.shape()
	if t.conditions != nil {
		key += fmt.Sprintf(" %q %q %q", t.conditions.host, t.conditions.headers, t.conditions.query)
	}
	return key
}

// compare is negative when t is preferred to o: the first segment that differs
// decides, a literal before a placeholder before **; a path that ends comes before
// one that goes on with **.
func (t Template) compare(o Template) int {
	for i := 0; ; i++ {
		switch {
		case i == len(t.segments) && i == len(o.segments):
			return 0
		case i == len(t.segments):
			return -1
		case i == len(o.segments):
			return 1
		}
		if d := int(t.segments[i].kind) - int(o.segments[i].kind); d != 0 {
			return d
		}
		if t.segments[i].kind == rest {
			return 0
		}
	}
}
