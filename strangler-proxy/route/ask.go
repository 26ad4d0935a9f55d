package route

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// An ask is what a request has to fulfil so that a route or one of its cohorts takes it.
type ask struct {
	*conditions
	peer netip.Addr
}

// asksOf lists the different conditions of routes, none of them first, then those of
// their cohorts.
func asksOf(routes []*Route) []ask {
	var all []ask
	for _, c := range distinct(routes) {
		all = append(all, ask{conditions: c})
	}
	for _, r := range routes {
		if !r.Stage.IsCanary() {
			continue
		}
		for _, cohort := range r.Cohorts {
			t := r.Match
			if cohort.Header.Name != "" && !has(t.Headers(), cohort.Header.Name) {
				t = t.with(func(c *conditions) { c.headers = append(c.headers, cohort.Header) })
			}
			one := ask{conditions: t.conditions}
			if cohort.Peers.IsValid() {
				one.peer = cohort.Peers.Addr()
			}
			all = append(all, one)
		}
	}
	return all
}

// distinct lists the different conditions of routes, none of them first.
func distinct(routes []*Route) []*conditions {
	all, seen := []*conditions{nil}, map[string]bool{}
	for _, r := range routes {
		if c := r.Match.conditions; c != nil && !seen[fmt.Sprint(*c)] {
			seen[fmt.Sprint(*c)] = true
			all = append(all, c)
		}
	}
	return all
}

// fulfil makes the request one that meets the conditions of all and no more. It
// reports whether that is possible.
func (h *Head) fulfil(fresh string, all ...*conditions) bool {
	query := url.Values{}
	for _, c := range all {
		if c == nil {
			continue
		}
		if c.host != "" && !hostMatches(c.host, h.Host) {
			h.Host = strings.Replace(c.host, "*", fresh, 1)
		}
		for _, one := range c.headers {
			h.Header[one.Name] = choose(h.Header[one.Name], one.Value, fresh)
		}
		for _, one := range c.query {
			query[one.Name] = choose(query[one.Name], one.Value, fresh)
		}
	}
	h.Query = query.Encode()
	for _, c := range all {
		if !c.match(h) {
			return false
		}
	}
	return true
}

func choose(have []string, want, fresh string) []string {
	switch {
	case want != Any:
		return []string{want}
	case len(have) > 0:
		return have
	}
	return []string{fresh}
}
