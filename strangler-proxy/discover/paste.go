package discover

import (
	"fmt"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// Unclaimed returns the endpoints that no route of the table takes, in their order. A
// route that asks for a header or the like does not claim a whole endpoint.
func Unclaimed(endpoints []Endpoint, table *route.Table) []Endpoint {
	kept := []Endpoint{}
	for _, e := range endpoints {
		r, err := table.Find(route.Head{Method: e.Method, Path: e.Example()})
		if err == nil && r == nil {
			kept = append(kept, e)
		}
	}
	return kept
}

// A Proposal is a route for an endpoint, at stage monolith: it changes nothing until
// somebody moves it.
type Proposal struct {
	Name     string
	Endpoint Endpoint
}

// Propose names a route for each endpoint. No name is taken already.
func Propose(endpoints []Endpoint, taken []string) []Proposal {
	used := map[string]bool{route.Default: true}
	for _, name := range taken {
		used[name] = true
	}
	proposals := []Proposal{}
	for _, e := range endpoints {
		base := nameFor(e)
		name := base
		for n := 2; used[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		used[name] = true
		proposals = append(proposals, Proposal{name, e})
	}
	return proposals
}

// limitName leaves room for a number at the end of a name that the file accepts.
const limitName = 56

// nameFor is users-id-read for GET /users/{id}, and users-create for POST /users.
func nameFor(e Endpoint) string {
	var words []string
	for _, segment := range strings.Split(e.Path, "/") {
		if segment == "**" {
			segment = "all"
		}
		if word := nameable(segment); word != "" {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		words = []string{"root"}
	}
	name := strings.Join(words, "-")
	verb := verbOf(e.Method)
	if most := limitName - len(verb) - 1; len(name) > most {
		name = strings.Trim(name[:most], "-")
	}
	return name + "-" + verb
}

func verbOf(method string) string {
	switch method {
	case "GET":
		return "read"
	case "POST":
		return "create"
	case "PUT":
		return "replace"
	case "PATCH":
		return "change"
	}
	return strings.ToLower(method)
}

// nameable is what of a segment may stand in a route's name.
func nameable(segment string) string {
	joined := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, segment)
	return strings.Join(strings.FieldsFunc(joined, func(r rune) bool { return r == '-' }), "-")
}

// YAML writes the proposals as the routes of a configuration file. The service may be
// empty.
func YAML(proposals []Proposal, service string) string {
	if len(proposals) == 0 {
		return "routes: {}\n"
	}
	var b strings.Builder
	b.WriteString("routes:\n")
	to := ""
	if service != "" {
		to = "to: " + service + ", "
	}
	for _, p := range proposals {
		e := p.Endpoint
		fmt.Fprintf(&b, "  %s: { match: %q, %sstage: monolith } # requests %d, p95 %s, errors %.1f %%\n",
			p.Name, e.Match(), to, e.Requests, Short(time.Duration(e.P95)), 100*e.ErrorRate)
	}
	return b.String()
}
