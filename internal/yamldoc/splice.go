package yamldoc

import (
	"bytes"
	"fmt"
	"strings"
)

// SetString returns the source with the text at path replaced by value, every other
// byte kept. path names keys from the root; the last one must exist and hold a scalar.
// The change is proved before it is returned: the result is parsed again and must
// differ from d in exactly this value. It refuses what it cannot change so, such as
// a value that an alias elsewhere shares.
func (d *Document) SetString(value string, path ...string) ([]byte, error) {
	parent := d.Root
	for _, key := range path[:len(path)-1] {
		parent = parent.Get(key)
	}
	last := path[len(path)-1]
	where := strings.Join(path, ".")
	entry, ok := onlyEntry(parent, last)
	if !ok {
		return nil, fmt.Errorf("%s: %s is not there exactly once", d.Name, where)
	}
	if entry.Value.Kind == Map || entry.Value.Kind == List {
		return nil, fmt.Errorf("%s:%d: %s is %s, not a single value", d.Name, entry.KeyPos.Line, where, entry.Value.Kind)
	}
	from, to, quote, err := d.extent(entry)
	if err != nil {
		return nil, fmt.Errorf("%s:%d: change %s: %w", d.Name, entry.KeyPos.Line, where, err)
	}
	for _, spelling := range spellings(value, quote) {
		changed := bytes.Join([][]byte{d.source[:from], d.source[to:]}, []byte(spelling))
		if d.differsOnlyAt(changed, value, path) {
			return changed, nil
		}
	}
	return nil, fmt.Errorf("%s:%d: %s cannot be changed without touching more of the file; edit it by hand", d.Name, entry.KeyPos.Line, where)
}

func onlyEntry(m *Node, key string) (Entry, bool) {
	if m == nil {
		return Entry{}, false
	}
	var found []Entry
	for _, e := range m.Entries {
		if e.Key == key {
			found = append(found, e)
		}
	}
	if len(found) != 1 {
		return Entry{}, false
	}
	return found[0], true
}

// spellings are the ways to write value, the one like the old value first.
func spellings(value string, quote byte) []string {
	double := doubleQuoted(value)
	switch quote {
	case '"':
		return []string{double}
	case '\'':
		return []string{"'" + strings.ReplaceAll(value, "'", "''") + "'", double}
	}
	return []string{value, double}
}

// doubleQuoted is value in double quotes, on one line and in visible characters.
func doubleQuoted(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xFEFF:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// extent finds the bytes of an entry's value and the quote it is written with.
func (d *Document) extent(e Entry) (from, to int, quote byte, err error) {
	s := d.source
	at := d.offset(e.KeyPos)
	if at < len(s) && (s[at] == '"' || s[at] == '\'') {
		at = endOfQuoted(s, at)
	} else {
		at += len(e.Key)
	}
	at = skipBlanks(s, at)
	if at >= len(s) || s[at] != ':' {
		return 0, 0, 0, fmt.Errorf("no colon after the key")
	}
	at = skipBlanks(s, at+1)
	if at >= len(s) || s[at] == '\n' || s[at] == '\r' || s[at] == '#' {
		return 0, 0, 0, fmt.Errorf("the value is not on the line of its key")
	}
	switch s[at] {
	case '"', '\'':
		return at, endOfQuoted(s, at), s[at], nil
	case '|', '>', '&', '!':
		return 0, 0, 0, fmt.Errorf("the value is written with %q", s[at])
	}
	return at, endOfPlain(s, at, plainLength(e.Value)), 0, nil
}

func plainLength(n *Node) int { return len(n.Text) }

func skipBlanks(s []byte, at int) int {
	for at < len(s) && (s[at] == ' ' || s[at] == '\t') {
		at++
	}
	return at
}

func endOfQuoted(s []byte, at int) int {
	quote := s[at]
	for at++; at < len(s); at++ {
		switch {
		case quote == '"' && s[at] == '\\':
			at++
		case s[at] == quote && quote == '\'' && at+1 < len(s) && s[at+1] == quote:
			at++
		case s[at] == quote:
			return at + 1
		}
	}
	return len(s)
}

// endOfPlain is the end of an unquoted value. A value that the parser read whole is
// as long as its text; an alias or a value over several lines ends at a delimiter.
func endOfPlain(s []byte, at, length int) int {
	if s[at] != '*' && at+length <= len(s) && !bytes.ContainsAny(s[at:at+length], "\r\n") {
		return at + length
	}
	end := at
	for end < len(s) && !strings.ContainsRune(" \t\r\n,]}", rune(s[end])) {
		end++
	}
	return end
}

// differsOnlyAt reports whether changed is d with value at path and nothing else.
func (d *Document) differsOnlyAt(changed []byte, value string, path []string) bool {
	after, err := Parse(d.Name, changed)
	if err != nil || len(after.lines) != len(d.lines) {
		return false
	}
	want := withString(d.Root, value, path)
	return want.Equal(after.Root)
}

// withString is a copy of n in which the text at path is value.
func withString(n *Node, value string, path []string) *Node {
	if len(path) == 0 {
		return &Node{Kind: String, Text: value}
	}
	changed := *n
	changed.Entries = append([]Entry(nil), n.Entries...)
	for i, e := range changed.Entries {
		if e.Key == path[0] {
			changed.Entries[i].Value = withString(e.Value, value, path[1:])
		}
	}
	return &changed
}
