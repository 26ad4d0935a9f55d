package yamldoc

import (
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The YAML parser reads the entries of a block mapping by recursion and copies, at
// each of them, all that follow: time grows with the square of their number, and the
// stack with it. So a large file is parsed in pieces, a few entries at a time, each
// from the tokens of the whole file, which know their places. A file of ordinary
// size is one piece.
const (
	limitWhole  = 8000 // tokens of a file that is parsed as one
	pieceTokens = 500  // about as many of a larger one are parsed at a time
	limitNulls  = 1000 // values that are left out in { }, for which the parser moves all that follows
)

// parseTree keeps a panic of the YAML parser, a bug there, from ending a server
// that merely looked at a half-written file.
func parseTree(text []byte, whole, piece int) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML parser gave up on this file: %v", r)
		}
	}()
	all := lexer.Tokenize(string(text))
	if len(all) <= whole || all.InvalidToken() != nil {
		return parseTokens(all)
	}
	tokens, err := body(all)
	if err != nil {
		return nil, err
	}
	p := pieces{limit: piece}
	node, err := p.node(tokens)
	return &ast.File{Docs: []*ast.DocumentNode{ast.Document(nil, node)}}, err
}

func parseTokens(tokens token.Tokens) (*ast.File, error) {
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// body is what stands between the marks of a document, without comments.
func body(all token.Tokens) (token.Tokens, error) {
	tokens := make(token.Tokens, 0, len(all))
	begun, ended := false, false
	var flows flows
	for i, t := range all {
		if flows.next(t); flows.nulls > limitNulls {
			return nil, syntaxError("too many keys without a value in { }", t)
		}
		switch {
		case t.Type == token.CommentType: // the tree has no place for it
		case i > 0 && all[i-1].Type == token.DocumentHeaderType && t.Position.Line == all[i-1].Position.Line:
			return nil, syntaxError("in a file of this size nothing may stand beside ---", t)
		case t.Type == token.DocumentHeaderType && !begun && len(tokens) == 0:
			begun = true
		case t.Type == token.DocumentEndType && !ended:
			ended = true
		case t.Type == token.DocumentHeaderType, ended:
			return nil, syntaxError("a second YAML document: the file must hold one", t)
		case t.Type == token.DirectiveType:
			return nil, syntaxError("a file of this size must hold no directives", t)
		default:
			tokens = append(tokens, t)
		}
	}
	return tokens, nil
}

func syntaxError(text string, at *token.Token) error {
	return &yaml.SyntaxError{Message: text, Token: at}
}

// pieces parses a large block of tokens.
type pieces struct {
	limit int // tokens that are parsed at a time
	depth int
}

// node parses a block: a mapping or a list in pieces, all else at once.
func (p *pieces) node(tokens token.Tokens) (ast.Node, error) {
	if len(tokens) <= p.limit {
		return p.one(tokens)
	}
	if p.depth++; p.depth > limitDepth {
		return nil, syntaxError("nested too deeply", tokens[0])
	}
	defer func() { p.depth-- }()
	parts, err := split(tokens)
	switch {
	case err != nil:
		return nil, err
	case tokens[0].Type == token.SequenceEntryType:
		return p.list(parts)
	case len(parts) > 1 || isKey(tokens):
		return p.mapping(parts)
	}
	return p.one(tokens)
}

// one hands tokens to the parser.
func (p *pieces) one(tokens token.Tokens) (ast.Node, error) {
	file, err := parseTokens(tokens)
	if err != nil || len(file.Docs) == 0 {
		return nil, err
	}
	return file.Docs[0].Body, nil
}

// isKey reports whether tokens begin with a key of a block mapping.
func isKey(tokens token.Tokens) bool {
	return len(tokens) > 1 && isText(tokens[0]) && tokens[1].Type == token.MappingValueType
}

func isText(t *token.Token) bool {
	switch t.Type {
	case token.MappingKeyType, token.AnchorType, token.TagType, token.AliasType, token.LiteralType, token.FoldedType,
		token.SequenceStartType, token.MappingStartType:
		return false
	default:
		return true
	}
}

// split cuts a block into its entries: they begin where the first one does, each on
// a line of its own and outside of brackets.
func split(tokens token.Tokens) ([]token.Tokens, error) {
	column, list := tokens[0].Position.Column, tokens[0].Type == token.SequenceEntryType
	var parts []token.Tokens
	from, brackets := 0, 0
	for i, t := range tokens {
		if brackets == 0 && beginsLine(tokens, i) {
			if t.Position.Column < column {
				return nil, syntaxError("this line is indented less than the block it stands in, and as none before it", t)
			}
			dash := t.Type == token.SequenceEntryType
			if t.Position.Column == column && (dash == list || !dash) {
				parts = append(parts, tokens[from:i])
				from = i
			}
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		}
	}
	return append(parts, tokens[from:]), nil
}

// beginsLine reports whether tokens[i] is the first of its line and could begin
// something. The text below a | or > stands where the parser needs it, not at its place.
func beginsLine(tokens token.Tokens, i int) bool {
	if i == 0 || tokens[i].Position.Line <= tokens[i-1].Position.Line {
		return false
	}
	return tokens[i-1].Type != token.LiteralType && tokens[i-1].Type != token.FoldedType
}

// mapping parses entries, many small ones at a time and the value of a large one by
// itself.
func (p *pieces) mapping(entries []token.Tokens) (ast.Node, error) {
	var all []*ast.MappingValueNode
	for len(entries) > 0 {
		n, size := 1, len(entries[0])
		for n < len(entries) && size+len(entries[n]) <= p.limit {
			size += len(entries[n])
			n++
		}
		values, err := p.entries(entries[:n], size)
		if err != nil {
			return nil, err
		}
		all = append(all, values...)
		entries = entries[n:]
	}
	return ast.Mapping(all[0].Start, false, all...), nil
}

// entries parses neighbours of one mapping, which have size tokens.
func (p *pieces) entries(entries []token.Tokens, size int) ([]*ast.MappingValueNode, error) {
	first := entries[0]
	if size > p.limit {
		if values, err := p.entry(first); values != nil || err != nil {
			return values, err
		}
	}
	tokens := make(token.Tokens, 0, size)
	for _, e := range entries {
		tokens = append(tokens, e...)
	}
	node, err := p.one(tokens)
	if err != nil {
		return nil, err
	}
	m, ok := node.(*ast.MappingNode)
	if !ok || m.IsFlowStyle {
		return nil, syntaxError("this is neither a key with a value nor the end of the mapping above", first[0])
	}
	for i, e := range entries {
		if i >= len(m.Values) || m.Values[i].Key.GetToken().Position.Line != e[0].Position.Line {
			return nil, syntaxError("this is neither a key with a value nor the end of the mapping above", e[0])
		}
	}
	if len(m.Values) > len(entries) {
		return nil, syntaxError("this key stands where none can", m.Values[len(entries)].Key.GetToken())
	}
	return m.Values, nil
}

// entry parses a key and, by itself, the block that is its value from the next line
// on, which may have an anchor. It returns nil for an entry of another form.
func (p *pieces) entry(entry token.Tokens) ([]*ast.MappingValueNode, error) {
	if !isKey(entry) {
		return nil, nil
	}
	at := 2
	if len(entry) > 4 && entry[2].Type == token.AnchorType && entry[3].Position.Line == entry[1].Position.Line {
		at = 4
	}
	if !isBlockValue(entry, at) {
		return nil, nil
	}
	head := entry[:at:at]
	if at == 4 { // an anchor wants something to stand for
		place := *entry[3].Position
		place.Column++
		head = append(head, token.New("null", "null", &place))
	}
	values, err := p.entries([]token.Tokens{head}, 0)
	if err != nil {
		return nil, err
	}
	block, err := p.node(entry[at:])
	if anchor, ok := values[0].Value.(*ast.AnchorNode); ok {
		anchor.Value = block
		return values, err
	}
	values[0].Value = block
	return values, err
}

// isBlockValue reports whether entry[at:] is a block on lines of its own.
func isBlockValue(entry token.Tokens, at int) bool {
	if len(entry) <= at || entry[at].Position.Line <= entry[at-1].Position.Line {
		return false
	}
	key, value := entry[0].Position.Column, entry[at]
	if value.Type == token.SequenceEntryType {
		return value.Position.Column >= key
	}
	return value.Position.Column > key && isText(value)
}

// list parses the items of a list one by one.
func (p *pieces) list(items []token.Tokens) (ast.Node, error) {
	list := ast.Sequence(items[0][0], false)
	for _, item := range items {
		if item[0].Type != token.SequenceEntryType {
			return nil, syntaxError("this is neither an item of the list above nor its end", item[0])
		}
		value, err := p.item(item)
		if err != nil {
			return nil, err
		}
		list.Values = append(list.Values, value)
	}
	return list, nil
}

func (p *pieces) item(item token.Tokens) (ast.Node, error) {
	if len(item) > p.limit && isText(item[1]) {
		return p.node(item[1:])
	}
	node, err := p.one(item)
	if err != nil {
		return nil, err
	}
	alone, ok := node.(*ast.SequenceNode)
	if !ok || alone.IsFlowStyle || len(alone.Values) != 1 {
		return nil, syntaxError("this is neither an item of the list above nor its end", item[0])
	}
	return alone.Values[0], nil
}
