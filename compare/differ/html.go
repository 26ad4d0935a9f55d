package differ

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// A fragment is a piece of an HTML page that is compared: an element, an attribute or a
// run of text, with the elements around it as its path.
type fragment struct {
	path []step
	text string
}

// maxSteps bounds what is read of a page: the sum of the lengths of all paths.
const maxSteps = 1_000_000

// html compares two pages token by token. Attribute order, white space and comments do
// not matter. Elements that have a name attribute carry it in their path.
func (w *walk) html(before, after []byte) {
	a, okA := fragments(before)
	b, okB := fragments(after)
	if !okA || !okB {
		w.text(string(before), string(after))
		return
	}
	for _, p := range inSequence(keysOf(a), keysOf(b)) {
		switch {
		case p.After < 0:
			w.fragmentAbsent(a[p.Before], true)
		case p.Before < 0:
			w.fragmentAbsent(b[p.After], false)
		case class(a[p.Before].path) == class(b[p.After].path):
			w.fragmentPair(a[p.Before], b[p.After])
		default: // something else stands here
			w.fragmentAbsent(a[p.Before], true)
			w.fragmentAbsent(b[p.After], false)
		}
	}
	w.path = w.path[:0]
}

func (w *walk) fragmentPair(a, b fragment) {
	w.path = a.path
	w.node(textValue(a.text), textValue(b.text))
}

func (w *walk) fragmentAbsent(f fragment, missing bool) {
	w.path = f.path[:len(f.path)-1]
	w.absent(f.path[len(f.path)-1], textValue(f.text), missing)
}

func keysOf(list []fragment) []string {
	keys := make([]string, len(list))
	for i, f := range list {
		keys[i] = pointer(f.path) + "=" + f.text
	}
	return keys
}

// voidElements have no end tag.
var voidElements = []string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}

// fragments reads a page; false means that it has too many parts.
func fragments(page []byte) ([]fragment, bool) {
	var list []fragment
	var open []step
	steps := 0
	z := html.NewTokenizer(bytes.NewReader(page))
	for {
		kind := z.Next()
		known := len(list)
		switch kind {
		case html.ErrorToken:
			return list, true
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			open = append(open, step{elementName(token), -1})
			list = appendElement(list, open, token)
			if kind == html.SelfClosingTagToken || slices.Contains(voidElements, token.Data) {
				open = open[:len(open)-1]
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			for i := len(open) - 1; i >= 0; i-- {
				if tag, _, _ := strings.Cut(open[i].name, "["); tag == tagName(string(name)) {
					open = open[:i]
					break
				}
			}
		case html.TextToken:
			if text := visible(string(z.Text()), open); text != "" {
				list = append(list, fragment{append(slices.Clone(open), step{"#text", -1}), text})
			}
		case html.DoctypeToken:
			list = append(list, fragment{[]step{{"#doctype", -1}}, strings.ToLower(string(z.Text()))})
		}
		for _, f := range list[known:] {
			steps += len(f.path)
		}
		if steps > maxSteps || len(open) > maxSteps {
			return nil, false
		}
	}
}

// visible returns text as a browser shows it: entities decoded, white space collapsed
// unless the element keeps it.
func visible(text string, open []step) string {
	if len(open) > 0 {
		switch tag, _, _ := strings.Cut(open[len(open)-1].name, "["); tag {
		case "script", "style":
			return strings.TrimSpace(text)
		case "pre", "textarea":
			return text
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

// tagName cuts a name that nobody would write: each path repeats it.
func tagName(s string) string { return s[:min(len(s), 64)] }

func elementName(token html.Token) string {
	for _, a := range token.Attr {
		if a.Key == "name" && a.Val != "" {
			return tagName(token.Data) + "[name=" + tagName(a.Val) + "]"
		}
	}
	return tagName(token.Data)
}

// appendElement adds an element and its attributes in the order of their names.
func appendElement(list []fragment, open []step, token html.Token) []fragment {
	list = append(list, fragment{slices.Clone(open), ""})
	slices.SortStableFunc(token.Attr, func(a, b html.Attribute) int { return cmp.Compare(a.Key, b.Key) })
	for _, a := range token.Attr {
		if a.Key == "class" {
			names := strings.Fields(a.Val)
			slices.Sort(names)
			a.Val = strings.Join(names, " ")
		}
		list = append(list, fragment{append(slices.Clone(open), step{"@" + a.Key, -1}), a.Val})
	}
	return list
}
