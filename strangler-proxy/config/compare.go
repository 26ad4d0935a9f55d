package config

import (
	"regexp"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

var compareSection = Section{"routes.NAME.compare", "How the answers to a request and to its copy are compared: by status, headers and body. JSON is compared by its values: the order of members and the spelling of numbers do not matter.", []Key{
	{Name: "ignore", Type: "list", Default: "`[]`", Doc: "Places in JSON bodies that are not compared: `$.generatedAt`, `$.links[*].href`, `$..id`. In a list written with brackets, those that hold a bracket need quotes."},
	{Name: "headers", Type: "list", Default: "those that clients act on", Doc: "Headers of the answer that are compared. By default `Content-Type`, `Location`, `Set-Cookie` (without the values), `Cache-Control`, `Vary` and others of that kind, but not `Date`, `Server` and their like. An empty list compares none."},
	{Name: "secrets", Type: "list", Default: "`[]`", Doc: "Names of headers, parameters, cookies and JSON members whose values are never shown, besides those that are known for it, such as `Authorization`, `password`, `token`."},
	{Name: "noise_margin", Type: "number or percentage", Default: "5", Doc: "Where the monolith differs from itself, the sides may differ in as many of the comparisons, and in so many more percent of them."},
}}

func (c *checker) compare(n *yamldoc.Node, what string, r *shadow.Rules) {
	keys, ok := c.section(n, compareSection, what)
	if !ok {
		return
	}
	r.Ignore = c.each(keys["ignore"], what+".ignore", func(text string) (string, string) {
		if err := shadow.CheckIgnore(text); err != nil {
			return err.Error(), "e.g. $.generatedAt or $.items[*].id"
		}
		return "", ""
	})
	name := func(text string) (string, string) {
		if !fieldName.MatchString(text) {
			return "no name has such characters: " + text, "e.g. Content-Type"
		}
		return "", ""
	}
	r.Headers = c.each(keys["headers"], what+".headers", name)
	r.Secrets = c.each(keys["secrets"], what+".secrets", name)
	if k := keys["noise_margin"]; k != nil {
		r.Margin = c.share(k, what+".noise_margin")
	}
}

var fieldName = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`)

// each reads a list of texts, each of which check may refuse, with a remedy. Without a
// node it is nil, else not.
func (c *checker) each(n *yamldoc.Node, what string, check func(text string) (problem, remedy string)) []string {
	if n == nil {
		return nil
	}
	if n.Kind != yamldoc.List {
		c.add(n.Pos, "e.g. [a, b]", "%s must be a list, this is %s", what, n.Kind)
		return nil
	}
	list := []string{}
	seen := map[string]bool{}
	for _, item := range n.Items {
		text := c.text(item, what)
		if text == "" {
			continue
		}
		key := strings.ToLower(text)
		if problem, remedy := check(text); problem != "" {
			c.add(item.Pos, remedy, "%s: %s", what, problem)
		} else if seen[key] {
			c.add(item.Pos, "", "%s: %s stands there twice", what, text)
		}
		seen[key] = true
		list = append(list, text)
	}
	return list
}

// CompareText is rules in the spelling of the file.
func CompareText(r shadow.Rules) string {
	parts := []string{}
	for _, l := range []struct {
		name string
		list []string
	}{{"ignore", r.Ignore}, {"headers", r.Headers}, {"secrets", r.Secrets}} {
		if l.list == nil {
			continue
		}
		quoted := make([]string, len(l.list))
		for i, text := range l.list {
			quoted[i] = "'" + strings.ReplaceAll(text, "'", "''") + "'"
		}
		parts = append(parts, l.name+": ["+strings.Join(quoted, ", ")+"]")
	}
	return "{ " + strings.Join(append(parts, "noise_margin: "+number(r.Margin)), ", ") + " }"
}
