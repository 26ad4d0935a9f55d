package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	on := breaker.Default()
	other := breaker.Settings{Failures: 1, Window: 3, Wait: 200 * time.Millisecond, Probes: 7}
	for text, want := range map[string]*breaker.Settings{
		"": &on, ", breaker: {}": &on, ", breaker: off": nil,
		", breaker: { open_at: 1 of 3, wait: 200ms, probes: 7, ramp: 0s }": &other,
	} {
		cfg, _, err := config.Parse("x.yaml", []byte("version: 1\nmonolith: http://h\nservices: { s: { url: http://s"+text+" } }\n"), config.Options{})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := cfg.Services[0].Breaker
		if (got == nil) != (want == nil) || got != nil && *got != *want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
		again := ", breaker: " + cfg.Services[0].BreakerText()
		cfg, _, err = config.Parse("x.yaml", []byte("version: 1\nmonolith: http://h\nservices: { s: { url: http://s"+again+" } }\n"), config.Options{})
		if err != nil || (cfg.Services[0].Breaker == nil) != (want == nil) {
			t.Errorf("%q is not read back: %v", again, err)
		}
	}
	for text, want := range map[string]string{
		"on":                      "must be a mapping",
		"{ open_at: 5 }":          `"5" is not FAILURES of RESULTS`,
		"{ open_at: 6 of 5 }":     "no more than results",
		"{ open_at: 0 of 5 }":     "at least 1 failure",
		"{ open_at: 5 of 99999 }": "at most 10000 results",
		"{ probes: 0 }":           "a whole number from 1",
		"{ probes: 1.5 }":         "a whole number from 1",
		"{ ramp: 30 }":            "needs a unit",
		"{ wait: -1s }":           "is not between",
		"{ opne_at: 5 of 20 }":    `did you mean "open_at"`,
	} {
		_, _, err := config.Parse("x.yaml", []byte("version: 1\nmonolith: http://h\nservices:\n  s: { url: http://s, breaker: "+text+" }\n"), config.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.yaml:4:") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
