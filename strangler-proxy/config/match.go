package config

import (
	"fmt"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// matchSection is a constant in all but name.
var matchSection = Section{"routes.NAME.match", "The long form, for routes that only some of the requests of a path take. A header or query parameter has the value exactly when it stands there once; the value `\"*\"` asks only that it is there.", []Key{
	{Name: "method", Type: "text", Default: "every method", Doc: "Such as `GET`, which answers `HEAD` too."},
	{Name: "path", Type: "path", Required: true, Doc: "As in the short form, without the method."},
	{Name: "host", Type: "text", Default: "every host", Doc: "A name without a port, or `\"*.shop.example\"` for every name below one."},
	{Name: "headers", Type: "mapping of text or number or boolean", Doc: "Names, in any case, and values. Headers that the proxy drops or writes itself cannot be asked for."},
	{Name: "query", Type: "mapping of text or number or boolean", Doc: "Names and values, both without encoding."},
}}

// match reads "GET /orders/{id}", or the mapping that can also ask for a host,
// headers and query parameters.
func (c *checker) match(n *yamldoc.Node, what string) route.Template {
	what += ".match"
	if n.Kind != yamldoc.Map {
		return c.template(n, c.text(n, what), what)
	}
	keys, _ := c.section(n, matchSection, what)
	method, path := keys["method"], keys["path"]
	if path == nil {
		return route.Template{}
	}
	text := c.text(path, what+".path")
	if strings.ContainsAny(text, " \t") {
		c.add(path.Pos, "write the method as method: GET", "%s.path: a path holds no blanks", what)
		return route.Template{}
	}
	if method != nil {
		word := c.text(method, what+".method")
		if strings.ContainsAny(word, " \t/") {
			c.add(method.Pos, "e.g. GET", "%s.method: %q is no method", what, word)
			word = ""
		}
		if word == "" {
			return route.Template{} // what is left would be a wider match than was meant
		}
		text = strings.TrimSpace(word + " " + text)
	}
	return c.conditions(c.template(path, text, what), keys, what)
}

func (c *checker) template(n *yamldoc.Node, text, what string) route.Template {
	if text == "" {
		return route.Template{}
	}
	t, err := route.ParseTemplate(text)
	if err != nil {
		c.add(n.Pos, "", "%s: %v", what, err)
	}
	return t
}

func (c *checker) conditions(t route.Template, keys map[string]*yamldoc.Node, what string) route.Template {
	set := func(n *yamldoc.Node, changed route.Template, err error) {
		if err != nil {
			c.add(n.Pos, "", "%s: %v", what, err)
		}
		t = changed
	}
	if n := keys["host"]; n != nil {
		if host := c.text(n, what+".host"); host != "" {
			changed, err := t.WithHost(host)
			set(n, changed, err)
		}
	}
	c.pairs(keys["headers"], what+".headers", func(n *yamldoc.Node, name, value string) {
		changed, err := t.WithHeader(name, value)
		set(n, changed, err)
	})
	c.pairs(keys["query"], what+".query", func(n *yamldoc.Node, name, value string) {
		changed, err := t.WithQuery(name, value)
		set(n, changed, err)
	})
	return t
}

// pairs calls each for every entry of a mapping from names to scalars.
func (c *checker) pairs(n *yamldoc.Node, what string, each func(n *yamldoc.Node, name, value string)) {
	if n == nil {
		return
	}
	if n.Kind != yamldoc.Map {
		c.add(n.Pos, `e.g. { X-Beta: "yes" }`, "%s must be a mapping, this is %s", what, n.Kind)
		return
	}
	for _, e := range n.Entries {
		value := e.Value
		if value.Kind == yamldoc.Number || value.Kind == yamldoc.Bool {
			each(value, e.Key, value.Text)
			continue
		}
		if text := c.text(value, what+"."+e.Key); text != "" {
			each(value, e.Key, text)
		}
	}
}

// ambiguous reports each route that cannot be told from another.
func (c *checker) ambiguous(n *yamldoc.Node, cfg *Config) {
	var routes []route.Route
	lines := map[string]int{}
	for _, r := range cfg.Routes {
		if r.Match.String() != "" {
			routes = append(routes, r.Route)
			lines[r.Name] = r.Line
		}
	}
	for _, a := range route.Ambiguities(routes) {
		pos := yamldoc.Pos{Line: lines[a.Second.Name], Column: 1}
		if m := n.Get(a.Second.Name).Get("match"); m != nil {
			pos = m.Pos
		}
		second := fmt.Sprintf("route %q (line %d)", a.Second.Name, lines[a.Second.Name])
		first := fmt.Sprintf("route %q (line %d)", a.First.Name, lines[a.First.Name])
		if a.Same() {
			c.add(pos, "change or remove one of them", "%s matches the same requests as %s: %s", second, first, a.Second.Match)
			continue
		}
		c.add(pos, "give one of them one condition more", "%s can match the same request as %s, and neither is more specific: %s and %s",
			second, first, a.Second.Match, a.First.Match)
	}
}
