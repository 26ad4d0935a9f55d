package config

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// cohortSection is a constant in all but name.
var cohortSection = Section{"routes.NAME.cohorts", "Clients that a canary sends to the service whatever its share, `canary 0%` included. A client belongs to a cohort if it has all that the cohort asks for. At the stages before, cohorts are on the monolith like everybody.", []Key{
	{Name: "header", Type: "text", Doc: "A header and its value, such as `\"X-Beta: yes\"`; `\"X-Beta: *\"` asks only that it is there."},
	{Name: "cidr", Type: "cidr", Doc: "Addresses of clients, such as `10.0.0.0/8`."},
}}

// sticky reads where the keys of clients stand.
func (c *checker) sticky(n *yamldoc.Node, what string) route.Sticky {
	if n.Kind != yamldoc.List || len(n.Items) == 0 {
		c.add(n.Pos, "e.g. [header:X-User-Id, auto-cookie]", "%s must be a list of keys", what)
		return nil
	}
	var all route.Sticky
	for i, item := range n.Items {
		text := c.text(item, what)
		if text == "" {
			continue
		}
		key, err := route.ParseKeySource(text)
		switch {
		case err != nil:
			remedy := ""
			if near := yamldoc.Nearest(text, []string{"auto-cookie"}); near != "" {
				remedy = fmt.Sprintf("did you mean %q?", near)
			}
			c.add(item.Pos, remedy, "%s: %v", what, err)
			continue
		case key == (route.KeySource{}) && i < len(n.Items)-1:
			c.add(item.Pos, "put it last", "%s: after auto-cookie every client has a key, so nothing after it counts", what)
		}
		for _, other := range all {
			if other == key {
				c.add(item.Pos, "", "%s: %s stands there twice", what, key)
			}
		}
		all = append(all, key)
	}
	return all
}

// StickyText is the keys in the spelling of the file.
func StickyText(s route.Sticky) string {
	var words []string
	for _, k := range s {
		words = append(words, k.String())
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func defaultSticky() route.Sticky { return route.Sticky{{}} }

func (c *checker) cohorts(n *yamldoc.Node, what string) []route.Cohort {
	what += ".cohorts"
	if n.Kind != yamldoc.List || len(n.Items) == 0 {
		c.add(n.Pos, `e.g. [ { header: "X-Beta: yes" }, { cidr: 10.0.0.0/8 } ]`, "%s must be a list of cohorts", what)
		return nil
	}
	var all []route.Cohort
	for _, item := range n.Items {
		keys, ok := c.section(item, cohortSection, what)
		if !ok {
			continue
		}
		if keys["header"] == nil && keys["cidr"] == nil {
			c.add(item.Pos, "name a header or a cidr", "%s: a cohort that asks for nothing", what)
		}
		var one route.Cohort
		if h := keys["header"]; h != nil {
			one.Header = c.cohortHeader(h, what+".header")
		}
		if p := keys["cidr"]; p != nil {
			one.Peers = c.cidr(p, what+".cidr")
		}
		all = append(all, one)
	}
	return all
}

func (c *checker) cohortHeader(n *yamldoc.Node, what string) route.Condition {
	const remedy = `e.g. "X-Beta: yes"`
	text := c.text(n, what)
	if text == "" {
		return route.Condition{}
	}
	name, value, found := strings.Cut(text, ":")
	if !found {
		c.add(n.Pos, remedy, "%s: %q has no value", what, text)
		return route.Condition{}
	}
	condition, err := route.HeaderCondition(strings.TrimSpace(name), strings.TrimSpace(value))
	if err != nil {
		c.add(n.Pos, remedy, "%s: %v", what, err)
	}
	return condition
}

// cidr reads a range of addresses, or one address.
func (c *checker) cidr(n *yamldoc.Node, what string) netip.Prefix {
	const remedy = "e.g. 10.0.0.0/8"
	text := c.text(n, what)
	if text == "" {
		return netip.Prefix{}
	}
	if one, err := netip.ParseAddr(text); err == nil && one.Zone() == "" {
		return netip.PrefixFrom(one.Unmap(), one.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || p.Addr().Is4In6():
		c.add(n.Pos, remedy, "%s: %q is no range of addresses", what, text)
	case p != p.Masked():
		c.add(n.Pos, "write "+p.Masked().String(), "%s: %s has more digits than its prefix", what, text)
	}
	return p
}

// CohortText is a cohort in the spelling of the file.
func CohortText(c route.Cohort) string {
	var parts []string
	if c.Header.Name != "" {
		parts = append(parts, fmt.Sprintf("header: %q", c.Header.Name+": "+c.Header.Value))
	}
	if c.Peers.IsValid() {
		parts = append(parts, fmt.Sprintf("cidr: %q", c.Peers))
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// dataOf says where a route's data is: the route says data: none, or its group names
// the split that moves it.
func (c *checker) dataOf(n *yamldoc.Node, r *Route) route.Data {
	what := fmt.Sprintf("route %q.data", r.Name)
	if n != nil {
		switch text := c.text(n, what); {
		case text == "":
		case text != "none":
			c.add(n.Pos, "write data: none, or name the split of a group", "%s: %q is not none", what, text)
		case r.Split != "":
			c.add(n.Pos, "remove one of them", "%s: the service has data, for split %q of group %q moves it", what, r.Split, r.Group)
		default:
			return route.DataNone
		}
	}
	switch {
	case r.Split == "":
		return route.DataUnsaid
	case c.owned != nil && c.owned(r.Split):
		return route.DataMoved
	}
	return route.DataSplit
}
