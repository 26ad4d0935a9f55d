package yamldoc

import (
	"bytes"
	"fmt"
	"strings"
)

// InsertTop returns the source with a new key and its text among the keys of the top
// level, on a line of its own after the first key's, and every other byte kept. Like
// SetString it proves the change before it returns it. A file whose top level is
// written with braces gets the key there.
func (d *Document) InsertTop(key, value string) ([]byte, error) {
	if d.Root.Kind != Map || len(d.Root.Entries) == 0 {
		return nil, fmt.Errorf("%s: the top level is %s", d.Name, d.Root.Kind)
	}
	if d.Root.Get(key) != nil {
		return nil, fmt.Errorf("%s: %s is there already", d.Name, key)
	}
	spelling := key + ": " + doubleQuoted(value)
	first := d.Root.Entries[0]
	at := d.offset(first.KeyPos)
	var candidates [][]byte
	if lineStart := d.lines[first.KeyPos.Line-1]; strings.Trim(string(d.source[lineStart:at]), " ") == "" {
		line := string(d.source[lineStart:at]) + spelling
		if after, ok := d.afterLine(first.KeyPos.Line, line); ok && len(first.Value.Entries)+len(first.Value.Items) == 0 {
			candidates = append(candidates, after)
		}
		candidates = append(candidates, splice(d.source, lineStart, lineStart, line+d.lineEnd()))
	} else { // {version: 1, …}
		candidates = append(candidates, splice(d.source, at, at, spelling+", "))
	}
	for _, changed := range candidates {
		if d.differsOnlyByTop(changed, key, value) {
			return changed, nil
		}
	}
	return nil, fmt.Errorf("%s: %s cannot be added without touching more of the file; add it by hand: %s", d.Name, key, spelling)
}

// RemoveTop is the reverse of InsertTop: it takes out a key of the top level that
// holds a single value, with its line if nothing else stands on it.
func (d *Document) RemoveTop(key string) ([]byte, error) {
	entry, ok := onlyEntry(d.Root, key)
	if !ok {
		return nil, fmt.Errorf("%s: %s is not there exactly once", d.Name, key)
	}
	if entry.Value.Kind == Map || entry.Value.Kind == List {
		return nil, fmt.Errorf("%s:%d: %s is %s, not a single value", d.Name, entry.KeyPos.Line, key, entry.Value.Kind)
	}
	var candidates [][]byte
	line := entry.KeyPos.Line
	from, to := d.lines[line-1], len(d.source)
	if line < len(d.lines) {
		to = d.lines[line]
	}
	candidates = append(candidates, splice(d.source, from, to, ""))
	if at, end, _, err := d.extent(entry); err == nil { // within braces
		from, to = d.offset(entry.KeyPos), end
		if next := skipBlanks(d.source, to); at > from && next < len(d.source) && d.source[next] == ',' {
			to = skipBlanks(d.source, next+1)
		}
		candidates = append(candidates, splice(d.source, from, to, ""))
	}
	for _, changed := range candidates {
		after, err := Parse(d.Name, changed)
		if err == nil && without(d.Root, key).Equal(after.Root) {
			return changed, nil
		}
	}
	return nil, fmt.Errorf("%s:%d: %s cannot be removed without touching more of the file; remove it by hand", d.Name, line, key)
}

// afterLine is the source with text as a line of its own after line n.
func (d *Document) afterLine(n int, text string) ([]byte, bool) {
	if n >= len(d.lines) { // the last line has no end
		return nil, false
	}
	at := d.lines[n]
	return splice(d.source, at, at, text+d.lineEnd()), true
}

// lineEnd is how the file ends its lines.
func (d *Document) lineEnd() string {
	if end := bytes.IndexByte(d.source, '\n'); end > 0 && d.source[end-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

func splice(source []byte, from, to int, text string) []byte {
	return bytes.Join([][]byte{source[:from], source[to:]}, []byte(text))
}

// differsOnlyByTop reports whether changed is d with one more key at the top level,
// wherever it stands among the others.
func (d *Document) differsOnlyByTop(changed []byte, key, value string) bool {
	after, err := Parse(d.Name, changed)
	if err != nil {
		return false
	}
	entry, ok := onlyEntry(after.Root, key)
	return ok && entry.Value.Kind == String && entry.Value.Text == value && without(after.Root, key).Equal(d.Root)
}

func without(n *Node, key string) *Node {
	changed := *n
	changed.Entries = nil
	for _, e := range n.Entries {
		if e.Key != key {
			changed.Entries = append(changed.Entries, e)
		}
	}
	return &changed
}
