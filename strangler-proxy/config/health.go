package config

import (
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// HealthChecks say how the instances of a service are asked whether they are well.
type HealthChecks struct {
	Interval time.Duration
	Timeout  time.Duration
}

const (
	defaultSlowStart     = 10 * time.Second
	defaultCheckInterval = 5 * time.Second
	defaultCheckTimeout  = 2 * time.Second
	leastInterval        = 100 * time.Millisecond
)

func defaultChecks() HealthChecks {
	return HealthChecks{Interval: defaultCheckInterval, Timeout: defaultCheckTimeout}
}

var healthSection = Section{"services.NAME.health", "The long form; `health: /healthz` is short for `{path: /healthz}`. Of several instances, one whose checks fail three times in a row is left out until they pass twice in a row. A single instance is not checked: its breaker judges it.", []Key{
	{Name: "path", Type: "path", Required: true, Doc: "A path that answers 2xx when the instance is well."},
	{Name: "interval", Type: "duration", Default: "5s", Doc: "Between two checks of an instance, at least `100ms`."},
	{Name: "timeout", Type: "duration", Default: "2s", Doc: "How long a check may take."},
}}

// health reads a path or a mapping.
func (c *checker) health(n *yamldoc.Node, what string, u *Upstream) {
	path := n
	if n.Kind == yamldoc.Map {
		keys, _ := c.section(n, healthSection, what)
		if k := keys["interval"]; k != nil {
			u.Checks.Interval = c.duration(k, what+".interval")
			if u.Checks.Interval < leastInterval {
				c.add(k.Pos, "", "%s.interval must be at least %s", what, leastInterval)
			}
		}
		if k := keys["timeout"]; k != nil {
			if u.Checks.Timeout = c.duration(k, what+".timeout"); u.Checks.Timeout <= 0 {
				c.add(k.Pos, "", "%s.timeout must be more than 0s", what)
			}
		}
		if path = keys["path"]; path == nil {
			return
		}
		what += ".path"
	}
	u.Health = c.text(path, what)
	if u.Health != "" && !strings.HasPrefix(u.Health, "/") {
		c.add(path.Pos, "e.g. /healthz", "%s must be a path that starts with /", what)
	}
}
