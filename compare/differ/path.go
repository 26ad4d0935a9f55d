package differ

import (
	"fmt"
	"strconv"
	"strings"
)

// A step leads from a value to one of its kids.
type step struct {
	name  string
	index int // -1 for a member of an object
}

type segmentKind uint8

const (
	nameSegment  segmentKind = iota // a member of this name
	indexSegment                    // an element of this index
	tokenSegment                    // either, as JSON pointers do not tell
	anySegment                      // any one kid
	deepSegment                     // any number of levels, also none
)

type segment struct {
	kind  segmentKind
	name  string
	index int
}

// A pattern names places in a JSON value.
type pattern []segment

const pathHelp = `use $.name, ['name'], [0], [*], .* and ..name, or a JSON pointer with * and **`

// parsePath reads a JSON path (the subset in pathHelp) or a JSON pointer in which *
// stands for any one kid and ** for any number of levels.
func parsePath(text string) (pattern, error) {
	switch {
	case strings.HasPrefix(text, "$"):
		return parseJSONPath(text)
	case strings.HasPrefix(text, "/"):
		return parsePointer(text)
	case text == "":
		return nil, fmt.Errorf("the path is empty: %s; $ is the whole body", pathHelp)
	}
	return nil, fmt.Errorf("path %q starts with neither $ nor /: %s", text, pathHelp)
}

func parsePointer(text string) (pattern, error) {
	var p pattern
	for token := range strings.SplitSeq(text[1:], "/") {
		switch token {
		case "*":
			p = append(p, segment{kind: anySegment})
			continue
		case "**":
			p = append(p, segment{kind: deepSegment})
			continue
		}
		for i := range len(token) {
			if token[i] == '~' && (i+1 == len(token) || token[i+1] != '0' && token[i+1] != '1') {
				return nil, fmt.Errorf("path %q: ~ must be followed by 0 (for ~) or 1 (for /)", text)
			}
		}
		name := strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		s := segment{kind: tokenSegment, name: name, index: -1}
		if i, err := strconv.Atoi(name); err == nil && strconv.Itoa(i) == name && i >= 0 {
			s.index = i
		}
		p = append(p, s)
	}
	return p, nil
}

func parseJSONPath(text string) (pattern, error) {
	var p pattern
	for at := 1; at < len(text); {
		if strings.HasPrefix(text[at:], "..") {
			p = append(p, segment{kind: deepSegment})
			if at += 2; at < len(text) && text[at] != '[' {
				at-- // the name follows as after one dot
			}
		}
		rest := text[min(at, len(text)):]
		var s segment
		var width int
		var err error
		switch {
		case strings.HasPrefix(rest, "[") && len(rest) > 1:
			s, width, err = parseBracket(rest)
		case len(rest) > 1:
			s, width, err = parseDotted(rest)
		default:
			err = fmt.Errorf("the path ends too early")
		}
		if err != nil {
			return nil, fmt.Errorf("path %q: column %d: %w: %s", text, at+1, err, pathHelp)
		}
		p = append(p, s)
		at += width
	}
	return p, nil
}

// parseDotted reads .name or .*; in "..name" the second dot is skipped.
func parseDotted(rest string) (segment, int, error) {
	if rest[0] != '.' {
		return segment{}, 0, fmt.Errorf("unexpected %q", rest[:1])
	}
	end := strings.IndexAny(rest[1:], ".[") + 1
	if end == 0 {
		end = len(rest)
	}
	name := rest[1:end]
	if name == "*" {
		return segment{kind: anySegment}, end, nil
	}
	if name == "" || strings.ContainsAny(name, " \t\n]*'\"()?@,$") {
		return segment{}, 0, fmt.Errorf("%q is no plain name; write ['…']", name)
	}
	return segment{kind: nameSegment, name: name}, end, nil
}

// parseBracket reads [0], [*], ['name'] or ["name"]; a backslash escapes a quote or itself.
func parseBracket(rest string) (segment, int, error) {
	quote := rest[1]
	if quote != '\'' && quote != '"' {
		inner, _, found := strings.Cut(rest[1:], "]")
		if !found {
			return segment{}, 0, fmt.Errorf("no closing ]")
		}
		if inner == "*" {
			return segment{kind: anySegment}, len("[*]"), nil
		}
		i, err := strconv.Atoi(inner)
		if err != nil || i < 0 || strconv.Itoa(i) != inner {
			return segment{}, 0, fmt.Errorf("[%s] is neither an index nor * nor a quoted name", inner)
		}
		return segment{kind: indexSegment, index: i}, len(inner) + 2, nil
	}
	var name strings.Builder
	for i := 2; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && i+1 < len(rest) && (rest[i+1] == quote || rest[i+1] == '\\'):
			i++
			name.WriteByte(rest[i])
		case c == quote:
			if i+1 == len(rest) || rest[i+1] != ']' {
				return segment{}, 0, fmt.Errorf("expected ] after the quoted name")
			}
			return segment{kind: nameSegment, name: name.String()}, i + 2, nil
		default:
			name.WriteByte(c)
		}
	}
	return segment{}, 0, fmt.Errorf("no closing quote")
}

// matches reports whether the pattern names exactly the place that path leads to.
func (p pattern) matches(path []step) bool {
	if n := len(p); n > 0 && p[n-1].kind != deepSegment { // most places fail on their last step
		if len(path) == 0 || !p[n-1].matches(path[len(path)-1]) {
			return false
		}
	}
	// As in matching file globs: on a mismatch go back to the last ** and let it take one more level.
	i, j, deep, mark := 0, 0, -1, 0
	for j < len(path) {
		switch {
		case i < len(p) && p[i].kind == deepSegment:
			deep, mark = i, j
			i++
		case i < len(p) && p[i].matches(path[j]):
			i++
			j++
		case deep >= 0:
			mark++
			i, j = deep+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i].kind == deepSegment {
		i++
	}
	return i == len(p)
}

func (s segment) matches(t step) bool {
	switch s.kind {
	case anySegment:
		return true
	case indexSegment:
		return t.index == s.index
	case tokenSegment:
		return t.index < 0 && t.name == s.name || t.index >= 0 && t.index == s.index
	}
	return t.index < 0 && t.name == s.name
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer returns path as a JSON pointer.
func pointer(path []step) string {
	var b strings.Builder
	for _, s := range path {
		b.WriteByte('/')
		if s.index >= 0 {
			b.WriteString(strconv.Itoa(s.index))
		} else {
			_, _ = pointerEscapes.WriteString(&b, s.name)
		}
	}
	return b.String()
}

// class returns path as a pointer in which indexes and names that are data are *.
func class(path []step) string {
	const usual = 128
	b := make([]byte, 0, usual)
	for _, s := range path {
		b = append(b, '/')
		switch {
		case s.index >= 0 || isData(s.name):
			b = append(b, '*')
		case strings.IndexByte(s.name, '~') >= 0 || strings.IndexByte(s.name, '/') >= 0:
			b = append(b, pointerEscapes.Replace(s.name)...)
		default:
			b = append(b, s.name...)
		}
	}
	return string(b)
}
