package acceptance_test

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// parse returns the HTML of an answer, and ends the test if it is not HTML.
func parse(t *testing.T, a *answer) *html.Node {
	t.Helper()
	if kind := a.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/html") {
		t.Fatalf("%s: Content-Type %q, want text/html: %s", a.call, kind, a.excerpt())
	}
	doc, err := html.Parse(strings.NewReader(string(a.body)))
	if err != nil {
		t.Fatalf("%s: %v", a.call, err)
	}
	return doc
}

// all returns the elements at and below n for which ok is true.
func all(n *html.Node, ok func(*html.Node) bool) (found []*html.Node) {
	if n.Type == html.ElementNode && ok(n) {
		found = append(found, n)
	}
	for c := range n.ChildNodes() {
		found = append(found, all(c, ok)...)
	}
	return found
}

// one returns the first such element, and ends the test if there is none.
func one(t *testing.T, n *html.Node, ok func(*html.Node) bool) *html.Node {
	t.Helper()
	found := all(n, ok)
	if len(found) == 0 {
		page := textOf(n)
		t.Fatalf("an element is missing; the text is: %s", page[:min(len(page), 1000)])
	}
	return found[0]
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// textOf returns the text at and below n, with single spaces.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// isForm reports whether n is a form that posts to action, whatever its query.
func isForm(n *html.Node, action string) bool {
	path, _, _ := strings.Cut(attr(n, "action"), "?")
	return n.Data == "form" && path == action && strings.EqualFold(attr(n, "method"), "post")
}

// form returns the form that posts to action, and ends the test if there is none.
func form(t *testing.T, page *html.Node, action string) *html.Node {
	t.Helper()
	return one(t, page, func(n *html.Node) bool { return isForm(n, action) })
}

// submit sends the form as a browser without JavaScript would, with its own values
// and these over them, and returns the answer.
func (c *client) submit(t *testing.T, f *html.Node, values url.Values) *answer {
	t.Helper()
	sent := url.Values{}
	for _, n := range all(f, func(n *html.Node) bool { return n.Data == "input" || n.Data == "select" || n.Data == "textarea" }) {
		name, value := attr(n, "name"), attr(n, "value")
		kind := attr(n, "type")
		switch {
		case name == "" || hasAttr(n, "disabled") || kind == "submit":
			continue
		case (kind == "radio" || kind == "checkbox") && !hasAttr(n, "checked"):
			continue
		case n.Data == "textarea":
			value = textOf(n)
		case n.Data == "select":
			value = selected(n)
		}
		sent.Set(name, value)
	}
	for name, v := range values {
		if !sent.Has(name) && len(all(f, func(n *html.Node) bool { return attr(n, "name") == name })) == 0 {
			t.Fatalf("the form for %s has no field %q", attr(f, "action"), name)
		}
		sent[name] = v
	}
	return c.post(t, attr(f, "action"), sent, header{"Origin": baseURL, "Sec-Fetch-Site": "same-origin", "Accept": "text/html"})
}

func selected(n *html.Node) string {
	options := all(n, func(n *html.Node) bool { return n.Data == "option" })
	for _, o := range options {
		if hasAttr(o, "selected") {
			return attr(o, "value")
		}
	}
	if len(options) > 0 {
		return attr(options[0], "value")
	}
	return ""
}

// page reads a page as a browser does.
func (c *client) page(t *testing.T, path string) *html.Node {
	t.Helper()
	return parse(t, c.get(t, path, header{"Accept": "text/html"}).want(200))
}
