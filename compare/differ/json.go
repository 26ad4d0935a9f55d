package differ

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

type valueKind uint8

const (
	nullValue valueKind = iota
	boolValue
	numberValue
	stringValue
	arrayValue
	objectValue
)

func (k valueKind) String() string {
	return [...]string{"null", "boolean", "number", "string", "array", "object"}[k]
}

// A value is a JSON value as it was written. Members of an object are sorted by name,
// equal names in the order of the text. A lone surrogate is kept as three bytes that
// are not valid UTF-8, so it equals nothing but itself.
type value struct {
	kind valueKind
	text string // a string's content; the literal of null, booleans and numbers
	kids []member
}

type member struct {
	name  string // empty in arrays
	value value
}

// A SyntaxError says where and why a text is not JSON.
type SyntaxError struct {
	Offset int // bytes from the start
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Reason) }

type reader struct {
	text  string
	at    int
	depth int // levels left
	*members
}

// readJSON reads exactly one JSON value; depth limits the nesting.
func readJSON(text string, depth int) (value, error) { return new(members).readJSON(text, depth) }

// readJSON is the function readJSON; the value lives until the members are given back.
func (m *members) readJSON(text string, depth int) (value, error) {
	if err := checkUTF8(text); err != nil {
		return value{}, err
	}
	r := &reader{text: text, depth: depth, members: m}
	clear(m.open) // of a text that was none
	m.open = m.open[:0]
	v, err := r.value()
	if err != nil {
		return value{}, err
	}
	r.space()
	if r.at < len(text) {
		return value{}, r.fail("text after the value")
	}
	return v, nil
}

// readLines reads one JSON value a line, as an array; blank lines are skipped.
func (m *members) readLines(text string, depth int) (value, error) {
	v := value{kind: arrayValue}
	offset := 0
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			item, err := m.readJSON(line, depth)
			if err != nil {
				return value{}, fmt.Errorf("line at byte %d: %w", offset, err)
			}
			v.kids = append(v.kids, member{value: item})
		}
		offset += len(line)
	}
	return v, nil
}

func checkUTF8(text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			return &SyntaxError{i, "invalid UTF-8"}
		}
	}
	return nil
}

func (r *reader) fail(reason string) error { return &SyntaxError{r.at, reason} }

func (r *reader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

func (r *reader) value() (value, error) {
	r.space()
	if r.at == len(r.text) {
		return value{}, r.fail("the text ends where a value is due")
	}
	switch c := r.text[r.at]; {
	case c == '{' || c == '[':
		return r.container(c)
	case c == '"':
		text, err := r.string()
		return value{kind: stringValue, text: text}, err
	case c == '-' || '0' <= c && c <= '9':
		return r.number()
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if strings.HasPrefix(r.text[r.at:], word) {
			r.at += len(word)
			if word == "null" {
				return value{text: word}, nil
			}
			return value{kind: boolValue, text: word}, nil
		}
	}
	return value{}, r.fail("no JSON value starts here")
}

func (r *reader) container(open byte) (value, error) {
	if r.depth == 0 {
		return value{}, r.fail("nested too deeply")
	}
	r.depth--
	v, end := value{kind: arrayValue}, byte(']')
	if open == '{' {
		v.kind, end = objectValue, '}'
	}
	start := len(r.open)
	for r.at++; ; r.at++ {
		r.space()
		if r.at < len(r.text) && r.text[r.at] == end && len(r.open) == start {
			break
		}
		m, err := r.member(v.kind)
		if err != nil {
			return value{}, err
		}
		r.open = append(r.open, m)
		r.space()
		if r.at < len(r.text) && r.text[r.at] == end {
			break
		}
		if r.at == len(r.text) || r.text[r.at] != ',' {
			return value{}, r.fail(fmt.Sprintf(`expected "," or %q`, end))
		}
	}
	r.at++
	r.depth++
	v.kids = r.close(start)
	if v.kind == objectValue {
		slices.SortStableFunc(v.kids, func(a, b member) int { return strings.Compare(a.name, b.name) })
	}
	return v, nil
}

func (r *reader) member(of valueKind) (m member, err error) {
	if of == objectValue {
		if r.at == len(r.text) || r.text[r.at] != '"' {
			return m, r.fail(`expected a name in quotes`)
		}
		if m.name, err = r.string(); err != nil {
			return m, err
		}
		r.space()
		if r.at == len(r.text) || r.text[r.at] != ':' {
			return m, r.fail(`expected ":"`)
		}
		r.at++
	}
	m.value, err = r.value()
	return m, err
}

func (r *reader) number() (value, error) {
	start := r.at
	if r.text[r.at] == '-' {
		r.at++
	}
	leading := r.at
	if r.digits() == 0 {
		return value{}, r.fail("expected a digit")
	}
	if r.text[leading] == '0' && r.at > leading+1 {
		return value{}, &SyntaxError{leading, "a number may not start with 0"}
	}
	if r.at < len(r.text) && r.text[r.at] == '.' {
		r.at++
		if r.digits() == 0 {
			return value{}, r.fail("expected a digit")
		}
	}
	if r.at < len(r.text) && (r.text[r.at] == 'e' || r.text[r.at] == 'E') {
		r.at++
		if r.at < len(r.text) && (r.text[r.at] == '+' || r.text[r.at] == '-') {
			r.at++
		}
		if r.digits() == 0 {
			return value{}, r.fail("expected a digit")
		}
	}
	return value{kind: numberValue, text: r.text[start:r.at]}, nil
}

func (r *reader) digits() int {
	start := r.at
	for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at - start
}

// string reads a string without copying it, unless it has escapes.
func (r *reader) string() (string, error) {
	r.at++
	start := r.at
	var out []byte
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			if out == nil {
				return r.text[start : r.at-1], nil
			}
			return string(append(out, r.text[start:r.at-1]...)), nil
		case c < ' ':
			return "", r.fail("control character in a string")
		case c == '\\':
			out = append(out, r.text[start:r.at]...)
			var err error
			if out, err = r.escape(out); err != nil {
				return "", err
			}
			start = r.at + 1
		}
	}
	return "", r.fail("the text ends within a string")
}

// escape appends what the escape at the current place means, and stops on its last byte.
func (r *reader) escape(out []byte) ([]byte, error) {
	if r.at++; r.at == len(r.text) {
		return nil, r.fail("the text ends within a string")
	}
	if i := strings.IndexByte(`"\/bfnrt`, r.text[r.at]); i >= 0 {
		return append(out, "\"\\/\b\f\n\r\t"[i]), nil
	}
	unit, ok := r.unit(r.at)
	if !ok {
		return nil, r.fail("unknown escape in a string")
	}
	r.at += 4
	if utf16.IsSurrogate(unit) {
		if r.at+1 < len(r.text) && r.text[r.at+1] == '\\' {
			if low, ok := r.unit(r.at + 2); ok && utf16.DecodeRune(unit, low) != utf8.RuneError {
				r.at += 6
				return utf8.AppendRune(out, utf16.DecodeRune(unit, low)), nil
			}
		}
		return append(out, byte(0xE0|unit>>12), byte(0x80|unit>>6&0x3F), byte(0x80|unit&0x3F)), nil
	}
	return utf8.AppendRune(out, unit), nil
}

// unit reads u and four hexadecimal digits.
func (r *reader) unit(at int) (rune, bool) {
	if at+5 > len(r.text) || r.text[at] != 'u' {
		return 0, false
	}
	var unit rune
	for _, c := range []byte(r.text[at+1 : at+5]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		unit = unit<<4 | rune(c)
	}
	return unit, true
}
