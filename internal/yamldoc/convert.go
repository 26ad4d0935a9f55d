package yamldoc

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// A converter turns the parser's tree into Nodes and resolves aliases. An alias
// shares the nodes it stands for, so a file cannot grow in memory by them.
type converter struct {
	doc      *Document
	root     *Node
	anchors  map[string]*Node
	problems []Problem
	tooLarge bool
}

func (c *converter) position(n ast.Node) Pos {
	token := n.GetToken()
	switch n := n.(type) {
	case *ast.MappingNode:
		// The token of a block mapping is the colon of its first entry.
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return c.position(n.Values[0])
		}
	case *ast.MappingValueNode:
		return c.position(n.Key)
	}
	if token == nil || token.Position == nil {
		return Pos{1, 1}
	}
	return c.doc.clamp(Pos{token.Position.Line, token.Position.Column})
}

func (c *converter) problem(n ast.Node, format string, args ...any) *Node {
	pos := c.position(n)
	c.problems = append(c.problems, Problem{Pos: pos, Text: fmt.Sprintf(format, args...)})
	return &Node{Pos: pos, size: 1}
}

func (c *converter) node(n ast.Node, depth int) *Node {
	if depth > limitDepth {
		return c.problem(n, "nested too deeply")
	}
	pos := c.position(n)
	switch n := n.(type) {
	case *ast.NullNode:
		return &Node{Kind: Null, Pos: pos, size: 1}
	case *ast.StringNode:
		return &Node{Kind: String, Text: n.Value, Pos: pos, size: 1}
	case *ast.LiteralNode:
		return &Node{Kind: String, Text: n.Value.Value, Pos: pos, size: 1}
	case *ast.BoolNode:
		return &Node{Kind: Bool, Text: n.Token.Value, Pos: pos, size: 1}
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return &Node{Kind: Number, Text: n.GetToken().Value, Pos: pos, size: 1}
	case *ast.MappingNode:
		return c.mapping(n.Values, pos, depth)
	case *ast.MappingValueNode:
		return c.mapping([]*ast.MappingValueNode{n}, pos, depth)
	case *ast.SequenceNode:
		return c.list(n, pos, depth)
	case *ast.AnchorNode:
		value := c.node(n.Value, depth+1)
		c.anchors[n.Name.GetToken().Value] = value
		return value
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		target, known := c.anchors[name]
		if !known {
			return c.problem(n, "alias *%s stands for nothing: no anchor &%s before it", name, name)
		}
		alias := *target
		alias.Pos = pos
		return c.sized(n, &alias, 0)
	case *ast.TagNode:
		if scalar, ok := n.Value.(ast.ScalarNode); ok && n.Start.Value == "!!str" {
			return &Node{Kind: String, Text: scalar.GetToken().Value, Pos: pos, size: 1}
		}
		return c.problem(n, "tag %s is not supported", n.Start.Value)
	case nil:
		return &Node{Kind: Null, Pos: Pos{1, 1}, size: 1}
	}
	return c.problem(n, "%s is not supported here", n.Type())
}

func (c *converter) mapping(values []*ast.MappingValueNode, pos Pos, depth int) *Node {
	m := &Node{Kind: Map, Pos: pos, size: 1}
	for _, v := range values {
		keyPos := c.position(v.Key)
		key, ok := c.key(v.Key)
		if !ok {
			continue
		}
		value := c.value(v, keyPos, depth)
		m.Entries = append(m.Entries, Entry{Key: key, KeyPos: keyPos, Value: value})
		m = c.sized(v, m, value.size)
	}
	return m
}

func (c *converter) key(key ast.MapKeyNode) (string, bool) {
	switch k := key.(type) {
	case *ast.StringNode:
		return k.Value, true
	case *ast.MergeKeyNode:
		c.problem(key, "merge keys (<<) are not supported: write the keys out")
		return "", false
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return key.GetToken().Value, true
	}
	c.problem(key, "a key must be plain text")
	return "", false
}

func (c *converter) value(v *ast.MappingValueNode, keyPos Pos, depth int) *Node {
	if v.Value == nil {
		return &Node{Kind: Null, Pos: keyPos, size: 1}
	}
	value := c.node(v.Value, depth+1)
	if value.Kind == Null && value.Text == "" {
		value.Pos = keyPos // an absent value has no place of its own
	}
	return value
}

func (c *converter) list(n *ast.SequenceNode, pos Pos, depth int) *Node {
	l := &Node{Kind: List, Pos: pos, size: 1}
	for _, v := range n.Values {
		item := c.colonText(n, v)
		if item == nil {
			item = c.node(v, depth+1)
		}
		l.Items = append(l.Items, item)
		l = c.sized(n, l, item.size)
	}
	return l
}

// colonText mends what the parser makes of [http://host:1] when the list stands
// inside a flow mapping: a colon without a blank after it does not begin a value.
func (c *converter) colonText(list *ast.SequenceNode, item ast.Node) *Node {
	pair, ok := item.(*ast.MappingValueNode)
	if m, isMap := item.(*ast.MappingNode); isMap && len(m.Values) == 1 && m.Start.Type != token.MappingStartType {
		pair, ok = m.Values[0], true
	}
	if !ok || !list.IsFlowStyle {
		return nil
	}
	key, plainKey := pair.Key.(*ast.StringNode)
	value, scalar := pair.Value.(ast.ScalarNode)
	if !plainKey || !scalar || key.Token.Type != token.StringType {
		return nil
	}
	at := c.doc.offset(c.doc.clamp(Pos{pair.Start.Position.Line, pair.Start.Position.Column}))
	if at+1 >= len(c.doc.source) || c.doc.source[at] != ':' || strings.IndexByte(" \t\r\n,[]{}\"'", c.doc.source[at+1]) >= 0 {
		return nil
	}
	return &Node{Kind: String, Text: key.Value + ":" + value.GetToken().Value, Pos: c.position(key), size: 1}
}

// sized adds to the size of n and cuts n off when aliases make the file too large
// to walk.
func (c *converter) sized(at ast.Node, n *Node, added int) *Node {
	n.size += added
	if n.size > limitNodes {
		if !c.tooLarge { // what holds this is too large, too
			c.tooLarge = true
			c.problem(at, "the aliases make this too large")
		}
		return &Node{Pos: n.Pos, size: 1}
	}
	return n
}
