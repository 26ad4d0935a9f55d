package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
)

var discoverySection = Section{"discovery", "What the proxy learns from the requests that pass: endpoints without a route, dead routes, and when a route last needed the monolith.", []Key{
	{Name: "quiet_after", Type: "days", Default: "30d", Doc: "A route without a request for so long is dead, an endpoint silent, and a route at `done` whose requests did not need the monolith for so long can be deleted there. From `1m` to `3650d`."},
	{Name: "state", Type: "text or off", Default: "CONFIG.state.json", Doc: "The file in which this is kept over restarts. Relative paths begin in the folder of this file. Proxies of one machine may share it. `off` keeps nothing. A change takes effect at the next start."},
}}

// discovery reads the mapping; nil means the defaults.
func (c *checker) discovery(n *yamldoc.Node) discover.Settings {
	s := discover.DefaultSettings()
	if n == nil {
		return s
	}
	keys, ok := c.section(n, discoverySection, "discovery")
	if !ok {
		return s
	}
	if k := keys["quiet_after"]; k != nil {
		s.QuietAfter = c.days(k, "discovery.quiet_after", time.Minute)
	}
	if k := keys["state"]; k != nil {
		s.State, s.StateOff = c.state(k)
	}
	return s
}

func (c *checker) state(n *yamldoc.Node) (path string, off bool) {
	if n.Text == "off" || n.Text == "false" {
		return "", true
	}
	path = c.text(n, "discovery.state")
	if path != "" && !filepath.IsAbs(path) {
		path = filepath.Join(c.folder, path)
	}
	return path, false
}

var wholeDays = regexp.MustCompile(`^(\d{1,5})d$`)

// limitDays is the longest time that is counted in days.
const limitDays = 3650

// days is a duration of at least least that may also be given in days: 30d, 12h.
func (c *checker) days(n *yamldoc.Node, what string, least time.Duration) time.Duration {
	if n.Kind == yamldoc.Number {
		c.add(n.Pos, fmt.Sprintf("write %sd for days", n.Text), "%s needs a unit", what)
		return 0
	}
	text := c.text(n, what)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if parts := wholeDays.FindStringSubmatch(text); parts != nil {
		number, _ := strconv.Atoi(parts[1])
		d, err = time.Duration(number)*24*time.Hour, nil
	}
	switch {
	case err != nil:
		c.add(n.Pos, "e.g. 30d, 12h", "%s: %q is no duration", what, text)
	case d < least || d > limitDays*24*time.Hour:
		c.add(n.Pos, "", "%s: %s is not between %s and %dd", what, text, DaysText(least), limitDays)
	}
	return d
}

// DaysText spells a duration as days reads it.
func DaysText(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	if d%time.Minute == 0 {
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// DiscoveryText is the section in the spelling of the file.
func (c *Config) DiscoveryText() string {
	s := c.Discovery
	text := "quiet_after: " + DaysText(s.QuietAfter)
	switch {
	case s.StateOff:
		text += ", state: off"
	case s.State != "":
		text += fmt.Sprintf(", state: %q", s.State)
	}
	return "{ " + text + " }"
}
