package gateway

import (
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A gateway prefers the match that asks for more headers, then for more query
// parameters; the proxy may prefer another, for the host that it asks for. Where an
// entry must come before one that asks for more, it is written a second time, with
// what both ask for: that asks for at least as much and stands first.

// limitEntries bounds the entries of a path and a method that are written so.
const limitEntries = 64

// A ruleWriter collects the rules of one path.
type ruleWriter struct {
	*exporter
	path  PathMatch
	rules []*pending
}

// A pending rule has the matches of one entry that share a plan.
type pending struct {
	name, text string
	order      int
	plan       plan
	matches    []Match
}

// add writes a slot: requests of a method, or with "" of those that have no slot.
func (w *ruleWriter) add(slot []*entry, method string) {
	var all []*entry
	for i := len(slot) - 1; i >= 0; i-- {
		all = append(w.before(slot[i], all), all...)
	}
	for i, n := range all {
		w.written[n.name] = true
		w.match(n, i, method)
	}
}

// before is n with the copies of it that keep n before the entries of all.
func (w *ruleWriter) before(n *entry, all []*entry) []*entry {
	own := []*entry{n}
	for _, o := range all {
		if !o.asksMore(n) {
			continue
		}
		headers, fitsHeaders := union(n.headers, o.headers)
		query, fitsQuery := union(n.query, o.query)
		if !fitsHeaders || !fitsQuery {
			continue // no request fulfils both
		}
		if len(headers) > limitAsked || len(query) > limitAsked || len(own)+len(all) >= limitEntries {
			w.differs(Precedence, "a request that fulfils the conditions of both takes the first one here and the second one in the gateway", n.name, o.name)
			continue
		}
		both := *n
		both.headers, both.query = headers, query
		own = append(own, &both)
	}
	return own
}

// union is what two lists of conditions ask for together; false if nothing has both.
func union(a, b []route.Condition) ([]route.Condition, bool) {
	all := slices.Clone(a)
	for _, c := range b {
		i := slices.IndexFunc(all, func(o route.Condition) bool { return o.Name == c.Name })
		switch {
		case i < 0:
			all = append(all, c)
		case all[i].Value == route.Any:
			all[i] = c
		case c.Value != all[i].Value && c.Value != route.Any:
			return nil, false
		}
	}
	return all, true
}

// match adds a match to the rule of n.
func (w *ruleWriter) match(n *entry, position int, method string) {
	m := Match{Path: w.path, Method: method, Headers: values(n.headers), Query: values(n.query)}
	p := n.plan(method)
	order := n.order<<20 + position
	for _, r := range w.rules {
		if r.name == n.name && r.text == n.text && r.plan == p && len(r.matches) < limitMatches {
			r.matches = append(r.matches, m)
			r.order = min(r.order, order)
			return
		}
	}
	w.rules = append(w.rules, &pending{n.name, n.text, order, p, []Match{m}})
}

func values(conditions []route.Condition) []ValueMatch {
	var all []ValueMatch
	for _, c := range conditions {
		v := ValueMatch{exact, c.Name, c.Value}
		if c.Value == route.Any {
			v.Type, v.Value = expression, ".*"
		}
		all = append(all, v)
	}
	return all
}

// inOrder returns the rules, the preferred one first: of two that ask for as much, a
// gateway takes that one.
func (w *ruleWriter) inOrder() []Rule {
	slices.SortStableFunc(w.rules, func(a, b *pending) int { return a.order - b.order })
	rules := make([]Rule, len(w.rules))
	for i, p := range w.rules {
		rules[i] = Rule{Matches: p.matches, Comment: p.name + ": " + p.text}
		w.targets(&rules[i], p.name, p.plan)
	}
	return rules
}

// pack puts rules into as many HTTPRoutes as they need. Their names keep the order.
func (e *exporter) pack(rules []Rule, host string) []*HTTPRoute {
	var all []*HTTPRoute
	matches := 0
	for _, r := range rules {
		if n := len(all); n == 0 || len(all[n-1].Spec.Rules) == limitRules || matches+len(r.Matches) >= limitTotal {
			all = append(all, e.newRoute(host))
			matches = 0
		}
		matches += len(r.Matches)
		spec := &all[len(all)-1].Spec
		spec.Rules = append(spec.Rules, r)
	}
	return all
}

func (e *exporter) newRoute(host string) *HTTPRoute {
	r := &HTTPRoute{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Metadata: Metadata{Namespace: e.opts.Namespace}}
	parent := ParentRef{Name: e.opts.Gateway}
	if namespace, name, both := strings.Cut(e.opts.Gateway, "/"); both {
		parent = ParentRef{name, namespace}
	}
	r.Spec.ParentRefs = []ParentRef{parent}
	if host != "" {
		r.Spec.Hostnames = []string{host}
	}
	return r
}
