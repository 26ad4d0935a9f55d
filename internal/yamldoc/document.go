// Package yamldoc reads a YAML file into a small tree that knows where each value
// stands, reports problems the way a compiler does, and changes single values by
// splicing: every byte that is not the changed value stays as its author wrote it.
// It never re-emits a file.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// Limits of what Parse accepts. They are far above any sensible configuration and
// keep a hostile file from using up memory, stack or, in the parser, time.
const (
	LimitBytes = 1 << 20
	limitLines = 50_000
	limitNodes = 1 << 20
	limitDepth = 64
)

// A Kind says what a Node holds.
type Kind int

// The kinds of a Node.
const (
	Null Kind = iota
	String
	Number
	Bool
	Map
	List
)

func (k Kind) String() string {
	return [...]string{"nothing", "a text", "a number", "true or false", "a mapping", "a list"}[k]
}

// Pos is a place in the file; both parts count from 1, columns count characters.
type Pos struct{ Line, Column int }

// A Node is one value. Nodes are not changed after Parse.
type Node struct {
	Kind    Kind
	Text    string // a scalar as text, without quotes
	Pos     Pos
	Entries []Entry // of a Map, in file order; may hold a key twice
	Items   []*Node // of a List

	size int // nodes below and including this one, with aliases expanded
}

// An Entry is one key and value of a Map.
type Entry struct {
	Key    string
	KeyPos Pos
	Value  *Node
}

// Get returns the value of the first entry named key, or nil.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for i := range n.Entries {
		if n.Entries[i].Key == key {
			return n.Entries[i].Value
		}
	}
	return nil
}

// Equal reports whether both trees hold the same values in the same order,
// wherever they stand.
func (n *Node) Equal(other *Node) bool {
	if n == nil || other == nil {
		return n == other
	}
	if n.Kind != other.Kind || n.Text != other.Text || len(n.Entries) != len(other.Entries) || len(n.Items) != len(other.Items) {
		return false
	}
	for i := range n.Entries {
		if n.Entries[i].Key != other.Entries[i].Key || !n.Entries[i].Value.Equal(other.Entries[i].Value) {
			return false
		}
	}
	for i := range n.Items {
		if !n.Items[i].Equal(other.Items[i]) {
			return false
		}
	}
	return true
}

// A Document is a parsed file.
type Document struct {
	Name string // for messages, usually the file's path as the user gave it
	Root *Node  // a Null node for an empty file

	source []byte
	lines  []int // byte offset of the first character of each line
	widths []int // characters of each line; a line may be as long as the file
}

// Parse reads source. Its error is a *ProblemsError.
func Parse(name string, source []byte) (*Document, error) {
	return parseIn(name, source, limitWhole, pieceTokens)
}

// parseIn is Parse for a file that is parsed in pieces from so many tokens on.
func parseIn(name string, source []byte, whole, piece int) (*Document, error) {
	d := &Document{Name: name, source: source}
	d.indexLines()
	if err := d.checkText(); err != nil {
		return nil, err
	}
	file, err := parseTree(d.text(), whole, piece)
	if err != nil {
		return nil, d.syntaxError(err)
	}
	c := converter{doc: d, anchors: map[string]*Node{}}
	for i, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if c.root != nil {
			return nil, d.Fail(Problem{Pos: c.position(file.Docs[i].Body), Text: "a second YAML document: the file must hold one"})
		}
		c.root = c.node(doc.Body, 0)
	}
	if len(c.problems) > 0 {
		return nil, d.Fail(c.problems...)
	}
	d.Root = c.root
	if d.Root == nil {
		d.Root = &Node{Pos: Pos{1, 1}}
	}
	return d, nil
}

// Source is the file's bytes. They are not to be changed.
func (d *Document) Source() []byte { return d.source }

// text is the source as the YAML parser shall see it: without byte order mark and
// with plain line ends. Lines and columns are the same in both.
func (d *Document) text() []byte {
	return bytes.ReplaceAll(bytes.TrimPrefix(d.source, bom), []byte("\r\n"), []byte("\n"))
}

var bom = []byte("\xef\xbb\xbf") //nolint:gochecknoglobals // a constant that Go cannot spell

func (d *Document) indexLines() {
	d.lines = []int{0}
	if bytes.HasPrefix(d.source, bom) {
		d.lines[0] = len(bom)
	}
	for i, b := range d.source {
		if b == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
}

// line returns the text of line number n without its end.
func (d *Document) line(n int) string {
	if n < 1 || n > len(d.lines) {
		return ""
	}
	rest := d.source[d.lines[n-1]:]
	if end := bytes.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
	}
	return strings.TrimSuffix(string(rest), "\r")
}

// offset is the byte offset of pos.
func (d *Document) offset(pos Pos) int {
	at := d.lines[pos.Line-1]
	if line := d.line(pos.Line); len(line) == d.widths[pos.Line-1] { // plain ASCII
		return min(at+pos.Column-1, len(d.source))
	}
	for range pos.Column - 1 {
		if at >= len(d.source) {
			break
		}
		_, size := utf8.DecodeRune(d.source[at:])
		at += size
	}
	return at
}

// checkText refuses what the YAML parser would read in a surprising way.
func (d *Document) checkText() error {
	if len(d.source) > LimitBytes {
		return d.Fail(Problem{Pos: Pos{1, 1}, Text: fmt.Sprintf("the file has %d bytes, the limit is %d", len(d.source), LimitBytes)})
	}
	if len(d.lines) > limitLines {
		return d.Fail(Problem{Pos: Pos{limitLines, 1}, Text: fmt.Sprintf("the file has %d lines, the limit is %d", len(d.lines), limitLines)})
	}
	d.widths = make([]int, len(d.lines))
	for n := range d.lines {
		line := d.line(n + 1)
		column, depth := 0, 0
		d.widths[n] = utf8.RuneCountInString(line)
		for i, r := range line {
			column++
			switch {
			case r == utf8.RuneError && !strings.HasPrefix(line[i:], "\uFFFD"):
				return d.Fail(Problem{Pos: Pos{n + 1, column}, Text: "not UTF-8 text"})
			case r == '\t', r >= 0x20 && r != 0x7f && r != 0x85 && r != 0x2028 && r != 0x2029 && r != 0xFEFF:
			default:
				return d.Fail(Problem{Pos: Pos{n + 1, column}, Text: fmt.Sprintf("control character %U", r)})
			}
			// "- - - -" and "? ? ? ?" nest once for each character pair.
			if strings.HasPrefix(line[i:], "- ") || strings.HasPrefix(line[i:], "? ") {
				depth++
			}
		}
		if depth > 4*limitDepth {
			return d.Fail(Problem{Pos: Pos{n + 1, 1}, Text: "nested too deeply"})
		}
	}
	return d.checkBrackets()
}

func (d *Document) checkBrackets() error {
	depth := 0
	for i, b := range d.source {
		switch b {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		}
		if depth > 16*limitDepth {
			line := bytes.Count(d.source[:i], []byte("\n")) + 1
			return d.Fail(Problem{Pos: Pos{line, 1}, Text: "nested too deeply"})
		}
	}
	return nil
}

func (d *Document) syntaxError(err error) error {
	var located yaml.Error
	if !errors.As(err, &located) {
		return d.Fail(Problem{Pos: Pos{1, 1}, Text: err.Error()})
	}
	pos := Pos{1, 1}
	if t := located.GetToken(); t != nil && t.Position != nil {
		pos = d.clamp(Pos{t.Position.Line, t.Position.Column})
	}
	remedy := ""
	if line := d.line(pos.Line); strings.Contains(line, "{") && strings.Count(line, "{") > 1 {
		remedy = `inside { } a text that holds { } [ ] or a comma needs quotes, such as match: "GET /orders/{id}"`
	}
	return d.Fail(Problem{Pos: pos, Text: located.GetMessage(), Remedy: remedy})
}

// clamp keeps a position of the YAML parser inside the file.
func (d *Document) clamp(p Pos) Pos {
	p.Line = min(max(p.Line, 1), len(d.lines))
	p.Column = min(max(p.Column, 1), d.widths[p.Line-1]+1)
	return p
}
