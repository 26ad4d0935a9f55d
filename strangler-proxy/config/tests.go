package config

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// Refused is the owner, in tests, of a request that is answered 400 and never forwarded.
const Refused = "refused"

// A Test is a line of the file's tests: a request and who may answer it.
type Test struct {
	Text         string
	Head         route.Head
	Owners       []string // monolith, services, Refused
	Line, Column int
}

// A TestResult is a Test and what the routes make of its request.
type TestResult struct {
	Test
	Route  string // the route that takes it, or route.Default
	Stage  route.Stage
	Owner  string // who answers it; "orders or monolith" where that depends on the client
	Passed bool   // the test names all of them
}

// Owners are who may answer a request by a decision: one, or both sides where that
// depends on a key that the request has not.
func Owners(d route.Decision) []string {
	switch {
	case d.NeedsKey:
		return []string{d.Route.Service, MonolithName}
	case d.Side == route.ToService:
		return []string{d.Route.Service}
	}
	return []string{MonolithName}
}

// RunTests decides the requests of the file's tests. Nothing is sent.
func (c *Config) RunTests() []TestResult {
	results := make([]TestResult, 0, len(c.Tests))
	for _, t := range c.Tests {
		d, err := route.Decide(c.Table, t.Head)
		owners := Owners(d)
		if err != nil {
			owners = []string{Refused}
		}
		r := TestResult{Test: t, Route: d.Name(), Stage: d.Stage(), Owner: strings.Join(owners, " or "), Passed: true}
		for _, owner := range owners {
			r.Passed = r.Passed && slices.Contains(t.Owners, owner)
		}
		results = append(results, r)
	}
	return results
}

func (c *checker) tests(n *yamldoc.Node, cfg *Config) {
	if n == nil || n.Kind == yamldoc.Null {
		return
	}
	if n.Kind != yamldoc.List {
		c.add(n.Pos, "e.g. - GET /orders/42 -> orders", "tests must be a list, this is %s", n.Kind)
		return
	}
	for _, item := range n.Items {
		if item.Kind == yamldoc.Map {
			c.add(item.Pos, "write Name:value without a blank, or put the test in quotes", "a test must be a text, this is a mapping")
			continue
		}
		if text := c.text(item, "a test"); text != "" {
			c.test(item, text, cfg)
		}
	}
}

const testRemedy = "e.g. GET /orders/42 X-Beta:yes -> orders or monolith"

func (c *checker) test(n *yamldoc.Node, text string, cfg *Config) {
	request, owners, found := strings.Cut(text, "->")
	words := strings.Fields(request)
	if !found || len(words) < 2 {
		c.add(n.Pos, testRemedy, "a test is METHOD /path [Name:value …] -> OWNER [or OWNER]")
		return
	}
	t := Test{Text: text, Line: n.Pos.Line, Column: n.Pos.Column, Head: route.Head{Method: words[0], Header: http.Header{}}}
	t.Head.Path, t.Head.Query, _ = strings.Cut(words[1], "?")
	if !strings.HasPrefix(t.Head.Path, "/") {
		c.add(n.Pos, testRemedy, "test: the path %q does not start with /", t.Head.Path)
		return
	}
	if strings.ToUpper(t.Head.Method) != t.Head.Method {
		c.add(n.Pos, "e.g. GET", "test: method %q is not written in capitals", t.Head.Method)
		return
	}
	for _, word := range words[2:] {
		name, value, found := strings.Cut(word, ":")
		switch {
		case !found || name == "":
			c.add(n.Pos, testRemedy, "test: %q is no header", word)
			return
		case strings.EqualFold(name, "host"):
			t.Head.Host = value
		default:
			t.Head.Header.Add(name, value)
		}
	}
	if t.Owners = c.owners(n, owners, cfg); t.Owners != nil {
		cfg.Tests = append(cfg.Tests, t)
	}
}

// owners reads "orders or monolith"; nil after a problem.
func (c *checker) owners(n *yamldoc.Node, text string, cfg *Config) []string {
	known := []string{MonolithName, Refused}
	for _, s := range cfg.Services {
		known = append(known, s.Name)
	}
	var owners []string
	for i, word := range strings.Fields(text) {
		if i%2 == 1 {
			if word != "or" {
				c.add(n.Pos, testRemedy, "test: %q where only \"or\" may stand", word)
				return nil
			}
			continue
		}
		if !slices.Contains(known, word) {
			c.add(n.Pos, yamldoc.DidYouMean(word, known), "test: %q is neither %s, a service nor %s", word, MonolithName, Refused)
			return nil
		}
		owners = append(owners, word)
	}
	if len(strings.Fields(text))%2 == 0 {
		c.add(n.Pos, testRemedy, "test: who answers is missing at the end")
		return nil
	}
	return owners
}
