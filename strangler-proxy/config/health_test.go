package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	parse := func(text string) (*config.Config, error) {
		cfg, _, err := config.Parse("x.yaml", []byte("version: 1\nmonolith: http://h\nservices:\n  s: { url: http://s, "+text+" }\n"), config.Options{})
		return cfg, err
	}
	for text, want := range map[string]config.Upstream{
		"health: /up": {Health: "/up", Checks: config.HealthChecks{Interval: 5 * time.Second, Timeout: 2 * time.Second}, SlowStart: 10 * time.Second},
		"health: { path: /up, interval: 100ms, timeout: 1s }, slow_start: 0s": {
			Health: "/up", Checks: config.HealthChecks{Interval: 100 * time.Millisecond, Timeout: time.Second},
		},
	} {
		cfg, err := parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := cfg.Services[0]
		if got.Health != want.Health || got.Checks != want.Checks || got.SlowStart != want.SlowStart {
			t.Errorf("%s: %+v", text, got)
		}
	}
	for text, want := range map[string]string{
		"health: up":                            `.health must be a path that starts with /`,
		"health: { path: up }":                  `.health.path must be a path that starts with /`,
		"health: { interval: 5s }":              `has no "path"`,
		"health: { path: /up, interval: 99ms }": "at least 100ms",
		"health: { path: /up, timeout: 0s }":    "more than 0s",
		"health: { path: /up, intervall: 5s }":  `did you mean "interval"`,
		"slow_start: 5":                         "needs a unit",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.yaml:4:") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
