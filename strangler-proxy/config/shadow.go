package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

const copiesDoc = "A copy of a request goes to the side that did not answer it, after the answer is complete, and the two answers are compared; see [Copies](#copies). "

var shadowKeys = []Key{
	{Name: "methods", Type: "text", Default: "safe", Doc: "`safe`: GET, HEAD and OPTIONS. There is nothing else; for the other methods see `writes`."},
	{Name: "writes", Type: "text", Default: "none", Doc: "`sandbox` also copies requests that change something, to a service with `sandbox: true`, and never to the monolith. `none` copies none of them."},
	{Name: "percent", Type: "number or percentage", Default: "100", Doc: "Share of the requests that are copied, of those that may be."},
	{Name: "max_body", Type: "size", Default: "256KiB", Doc: "A request or an answer with a larger body is not copied. It reaches the client untouched."},
	{Name: "max_inflight", Type: "number", Default: "64", Doc: "Copies that a side is asked at a time."},
	{Name: "queue", Type: "number", Default: "256", Doc: "Copies to a side that wait. What is beyond is dropped and counted. All bodies that are kept for a side take at most `queue` times `defaults.shadow.max_body`, or times 16 KiB if that is more."},
	{Name: "max_rps", Type: "number", Default: "no limit", Doc: "Copies a second to a side."},
	{Name: "live_rps", Type: "number", Default: "100", Doc: "At stage `live`, copies a second to the monolith, for each route. The first hundred or so of a burst are taken, too. A large number takes all."},
	{Name: "timeout", Type: "duration", Default: "5s", Doc: "How long an answer to a copy may take, to its last byte."},
	{Name: "baseline_percent", Type: "number or percentage", Default: "0", Doc: "Share of the copies after which the monolith is asked once more. Where it differs from itself, the sides may differ, too. A value above `0` also asks it again after a mismatch in a place that it is not known well enough."},
	{Name: "keep", Type: "number", Default: "20", Doc: "Mismatches of a route that are kept to be looked at."},
}

var (
	shadowSection      = Section{"defaults.shadow", copiesDoc + "All routes to a side share its `max_inflight`, `queue` and `max_rps`.", shadowKeys}
	routeShadowSection = Section{"routes.NAME.shadow", "What the route says instead of `defaults.shadow`; `off` is short for `{percent: 0}`. Its `max_inflight`, `queue` and `max_rps` are bounds of this route alone, within those of the side.", ofRoute(shadowKeys)}
)

// ofRoute are the keys of a route, which takes over the values of the defaults.
func ofRoute(keys []Key) []Key {
	own := slices.Clone(keys)
	for i := range own {
		own[i].Default = "`defaults.shadow`"
		switch own[i].Name {
		case "max_inflight", "queue", "max_rps":
			own[i].Default = "the side's"
		}
	}
	return own
}

// limitQueue bounds what waits for a side.
const limitQueue = 10_000

// shadowing reads a section of settings into s. It returns the node that asks for
// writes, if there is one.
func (c *checker) shadowing(n *yamldoc.Node, section Section, what string, s *shadow.Settings) (writes *yamldoc.Node) {
	keys, ok := c.section(n, section, what)
	if !ok {
		return nil
	}
	if k := keys["methods"]; k != nil {
		if text := c.text(k, what+".methods"); text != "" && text != "safe" {
			c.add(k.Pos, "requests that change something go with writes: sandbox", "%s.methods: %q is not safe, and there is nothing else", what, text)
		}
	}
	if k := keys["writes"]; k != nil {
		s.Sandbox = c.writes(k, what+".writes")
	}
	if k := keys["percent"]; k != nil {
		s.Percent = c.share(k, what+".percent")
	}
	if k := keys["baseline_percent"]; k != nil {
		s.Baseline = c.share(k, what+".baseline_percent")
	}
	if k := keys["max_body"]; k != nil {
		s.MaxBody = int(c.size(k, what+".max_body", 1<<10, 64<<20))
	}
	if k := keys["timeout"]; k != nil {
		if s.Timeout = c.duration(k, what+".timeout"); s.Timeout <= 0 {
			c.add(k.Pos, "", "%s.timeout must be more than 0s", what)
		}
	}
	c.bounds(keys, what, s)
	return keys["writes"]
}

func (c *checker) bounds(keys map[string]*yamldoc.Node, what string, s *shadow.Settings) {
	for _, bound := range []struct {
		name  string
		value *int
		most  int
	}{{"max_inflight", &s.Limits.InFlight, 1000}, {"queue", &s.Limits.Queue, limitQueue}, {"keep", &s.Keep, 1000}} {
		if k := keys[bound.name]; k != nil {
			*bound.value = c.count(k, what+"."+bound.name, bound.most)
		}
	}
	if k := keys["max_rps"]; k != nil {
		s.Limits.Rate = float64(c.count(k, what+".max_rps", 1_000_000))
	}
	if k := keys["live_rps"]; k != nil {
		s.LiveRate = float64(c.count(k, what+".live_rps", 1_000_000))
	}
}

func (c *checker) writes(n *yamldoc.Node, what string) bool {
	text := c.text(n, what)
	if text != "" && text != "none" && text != "sandbox" {
		c.add(n.Pos, yamldoc.DidYouMean(text, []string{"none", "sandbox"}), "%s: %q is neither none nor sandbox", what, text)
	}
	return text == "sandbox"
}

// share is a percentage, as 5, 0.5 or 5%.
func (c *checker) share(n *yamldoc.Node, what string) float64 {
	text := n.Text + "%"
	if n.Kind != yamldoc.Number {
		if text = c.text(n, what); text == "" {
			return 0
		}
	}
	hundredths, err := route.ParsePercent(text)
	if err != nil {
		c.add(n.Pos, "from 0% to 100%, with at most two decimals", "%s: %v", what, err)
	}
	return float64(hundredths) / 100
}

// copies reads what a route says of its copies and their comparison.
func (c *checker) copies(r *Route, keys map[string]*yamldoc.Node, what string, cfg *Config) {
	r.Shadow = cfg.Shadow
	r.Shadow.Limits = shadow.Limits{}
	writes := cfg.shadowWrites
	if n := keys["shadow"]; n != nil {
		if n.Kind != yamldoc.Map && (n.Text == "off" || n.Text == "false") {
			r.Shadow.Percent = 0
		} else if own := c.shadowing(n, routeShadowSection, what+".shadow", &r.Shadow); own != nil {
			writes = own
		}
	}
	if r.Compare = (shadow.Rules{Margin: shadow.DefaultMargin}); keys["compare"] != nil {
		c.compare(keys["compare"], what+".compare", &r.Compare)
	}
	service := cfg.Service(r.Service)
	if r.Shadow.Sandbox && service != nil && !service.Sandbox && writes != nil {
		c.add(writes.Pos, fmt.Sprintf("if the service keeps nothing that matters, say sandbox: true under services.%s", r.Service),
			"writes: sandbox would change data of service %q with copies of route %q", r.Service, r.Name)
	}
	if r.Shadow.Sandbox && r.Split != "" && writes != nil {
		c.add(writes.Pos, "say shadow: { writes: none } at the route", "writes: sandbox would change with copies of route %q what split %q keeps equal for service %q", r.Name, r.Split, r.Service)
	}
}

// ShadowConfig is what the copies need of the configuration.
func (c *Config) ShadowConfig() shadow.Config {
	out := shadow.Config{Limits: c.Shadow.Limits, MaxBody: c.Shadow.MaxBody, URLs: map[string]string{}}
	for _, u := range append([]Upstream{c.Monolith}, c.Services...) {
		if len(u.URLs) > 0 {
			out.URLs[u.Name] = u.URLs[0].String()
		}
	}
	for _, r := range c.Routes {
		if r.Service != "" {
			out.Routes = append(out.Routes, shadow.Route{
				Name: r.Name, Match: r.Match.String(), Service: r.Service, Settings: r.Shadow, Rules: r.Compare,
			})
		}
	}
	return out
}

// ShadowText is settings in the spelling of the file; of the limits, those that are set.
func ShadowText(s shadow.Settings) string {
	writes := "none"
	if s.Sandbox {
		writes = "sandbox"
	}
	parts := []string{
		"methods: safe", "writes: " + writes, "percent: " + number(s.Percent), "max_body: " + SizeText(int64(s.MaxBody)),
	}
	for _, l := range []struct {
		name  string
		value int
	}{{"max_inflight", s.Limits.InFlight}, {"queue", s.Limits.Queue}, {"max_rps", int(s.Limits.Rate)}, {"live_rps", int(s.LiveRate)}} {
		if l.value > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", l.name, l.value))
		}
	}
	parts = append(parts, "timeout: "+s.Timeout.String(), "baseline_percent: "+number(s.Baseline), "keep: "+strconv.Itoa(s.Keep))
	return "{ " + strings.Join(parts, ", ") + " }"
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
