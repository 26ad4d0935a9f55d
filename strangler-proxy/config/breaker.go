package config

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
)

var breakerSection = Section{"services.NAME.breaker", "While the breaker is open the service is not asked at all and the monolith answers. A failure is a service that cannot be reached, breaks off, answers no HTTP, does not answer in time, or answers 502, 503, 504 or another status of `fallback.on` except 501. A client that leaves is none.", []Key{
	{Name: "open_at", Type: "text", Default: "5 of 20", Doc: "It opens after so many failures among the last so many results."},
	{Name: "wait", Type: "duration", Default: "5s", Doc: "How long it stays open before the service is tried again. A request that changes something tries it only after twice this time without another."},
	{Name: "probes", Type: "number", Default: "3", Doc: "So many requests try the service. All have to succeed, else it opens again."},
	{Name: "ramp", Type: "duration", Default: "30s", Doc: "How long the service's share then grows until it gets every request. `0s` means at once."},
}}

// breaker reads `off` or a mapping; nil means off.
func (c *checker) breaker(n *yamldoc.Node, what string) *breaker.Settings {
	s := breaker.Default()
	if n.Kind != yamldoc.Map && (n.Text == "off" || n.Text == "false") {
		return nil
	}
	keys, ok := c.section(n, breakerSection, what)
	if !ok {
		return &s
	}
	if k := keys["open_at"]; k != nil {
		c.openAt(k, what+".open_at", &s)
	}
	if k := keys["wait"]; k != nil {
		s.Wait = c.duration(k, what+".wait")
	}
	if k := keys["probes"]; k != nil {
		s.Probes = c.count(k, what+".probes", 1000)
	}
	if k := keys["ramp"]; k != nil {
		s.Ramp = c.duration(k, what+".ramp")
	}
	return &s
}

var outOf = regexp.MustCompile(`^(\d{1,6}) of (\d{1,6})$`)

// limitWindow bounds the memory and the time of a breaker.
const limitWindow = 10_000

func (c *checker) openAt(n *yamldoc.Node, what string, s *breaker.Settings) {
	const remedy = "e.g. 5 of 20"
	text := n.Text
	if n.Kind == yamldoc.String {
		text = c.text(n, what)
		if text == "" {
			return
		}
	}
	parts := outOf.FindStringSubmatch(text)
	if parts == nil {
		c.add(n.Pos, remedy, "%s: %q is not FAILURES of RESULTS", what, text)
		return
	}
	s.Failures, _ = strconv.Atoi(parts[1])
	s.Window, _ = strconv.Atoi(parts[2])
	if s.Failures < 1 || s.Failures > s.Window || s.Window > limitWindow {
		c.add(n.Pos, remedy, "%s: %s needs at least 1 failure, no more than results, and at most %d results", what, text, limitWindow)
	}
}

// count is a whole number from 1 to limit.
func (c *checker) count(n *yamldoc.Node, what string, limit int) int {
	number, err := strconv.Atoi(n.Text)
	if n.Kind != yamldoc.Number || err != nil || number < 1 || number > limit {
		c.add(n.Pos, "", "%s must be a whole number from 1 to %d", what, limit)
		return 1
	}
	return number
}

// BreakerText is the upstream's breaker in the spelling of the file.
func (u *Upstream) BreakerText() string {
	s := u.Breaker
	if s == nil {
		return "off"
	}
	return fmt.Sprintf("{ open_at: %d of %d, wait: %s, probes: %d, ramp: %s }", s.Failures, s.Window, s.Wait, s.Probes, s.Ramp)
}
