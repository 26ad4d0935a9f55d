package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func parsePromote(text string) (*config.Config, error) {
	cfg, _, err := config.Parse("x.yaml", []byte("version: 1\nmonolith: http://h\nservices: { s: http://s }\nroutes:\n  r: { match: /r, to: s, stage: canary 5%, "+text+" }\n"), config.Options{})
	return cfg, err
}

func TestPromote(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"promote: {}": `{ steps: [1%, 5%, 25%, 50%, 100%], every: 10m0s, for: 10m0s, check: 30s, min_requests: 200, threshold: 3, ` +
			`require: { error_delta: "<= 0.5%", p95_ratio: "<= 1.3", error_rate: off, p95: off } }`,
		`promote: { steps: [1, 5, 25, 50, 100], every: 10m, min_requests: 200, require: { error_delta: "<= 0.5%", p95_ratio: "<= 1.3", mismatch: "<= 0.1%" } }`: `{ steps: [1%, 5%, 25%, 50%, 100%], every: 10m0s, for: 10m0s, check: 30s, min_requests: 200, threshold: 3, ` +
			`require: { error_delta: "<= 0.5%", p95_ratio: "<= 1.3", mismatch: "<= 0.1%", error_rate: off, p95: off } }`,
		`promote: { steps: [0.25%, 10], every: 2s, for: 1s, check: 100ms, min_requests: 7, threshold: 1, then: live, require: { error_delta: off, p95_ratio: 2, mismatch: off, error_rate: 1%, p95: "<=300ms" } }`: `{ steps: [0.25%, 10%], every: 2s, for: 1s, check: 100ms, min_requests: 7, threshold: 1, ` +
			`require: { error_delta: off, p95_ratio: "<= 2", mismatch: off, error_rate: "<= 1%", p95: "<= 300ms" }, then: live }`,
	} {
		cfg, err := parsePromote(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := config.PromoteText(cfg.Routes[0].Promote)
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
		again, err := parsePromote("promote: " + got)
		if err != nil || config.PromoteText(again.Routes[0].Promote) != got {
			t.Errorf("%s does not read back: %v", got, err)
		}
	}
	cfg, err := parsePromote("expires: 720h")
	if err != nil || cfg.Routes[0].Expires != 30*24*time.Hour || cfg.Routes[0].Promote != nil {
		t.Errorf("%+v %v", cfg, err)
	}
}

func TestPromoteProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"promote: on":                                   "must be a mapping",
		"promote: { evry: 1m }":                         `did you mean "every"`,
		"promote: { steps: [] }":                        "1 to 50 percentages",
		"promote: { steps: 5 }":                         "1 to 50 percentages",
		"promote: { steps: [5, 1] }":                    "1% does not come after 5%",
		"promote: { steps: [5, 5] }":                    "5% does not come after 5%",
		"promote: { steps: [0] }":                       "moves nobody",
		"promote: { steps: [101] }":                     "more than 100%",
		"promote: { steps: [-1] }":                      "is no percentage",
		"promote: { steps: [0.001] }":                   "more than two decimals",
		"promote: { steps: [true] }":                    "no percentage",
		"promote: { steps: [five] }":                    "no percentage",
		"promote: { every: 10 }":                        "needs a unit",
		"promote: { every: 10ms }":                      "at least 1s",
		"promote: { check: 1ms }":                       "at least 100ms",
		"promote: { every: 1m, check: 2m }":             "not be more than every",
		"promote: { min_requests: 0 }":                  "from 1 to",
		"promote: { threshold: many }":                  "whole number",
		"promote: { then: done }":                       "is not live",
		"promote: { require: { errors: 1% } }":          `unknown key "errors"`,
		`promote: { require: { error_delta: "< 1%" } }`: "is no limit",
		"promote: { require: { error_delta: 0.5 } }":    "is no limit",
		"promote: { require: { error_delta: 101% } }":   "is no limit",
		"promote: { require: { mismatch: -1% } }":       "is no limit",
		"promote: { require: { mismatch: NaN% } }":      "is no limit",
		"promote: { require: { p95_ratio: 1e999 } }":    "is no limit",
		"promote: { require: { p95: 300 } }":            "is no limit",
		"promote: { require: { p95: [1s] } }":           "must be a text",
		"expires: 24":                                   "needs a unit",
		"expires: 10ms":                                 "at least 1s",
		"expires: 9000h":                                "not between 0s and 8784h",
		"expires: never":                                "no duration",
	} {
		if _, err := parsePromote(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.yaml:5:") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// A tool that looks at the file outside the proxy's environment does not know the values.
func TestPromoteOfUnsetVariables(t *testing.T) {
	t.Parallel()
	source := []byte("version: 1\nmonolith: http://h\nservices: { s: http://s }\nroutes: { r: { match: /r, to: s, stage: canary 5%, " +
		`expires: "${E}", promote: { every: "${A}", for: "${B}", check: "${C}", require: { p95: "${D}" } } } }`)
	if _, _, err := config.Parse("x.yaml", source, config.Options{AllowUnset: true}); err != nil {
		t.Error(err)
	}
	if _, _, err := config.Parse("x.yaml", source, config.Options{}); err == nil || !strings.Contains(err.Error(), "environment variable B is not set") {
		t.Error(err)
	}
	values := func(name string) (string, bool) {
		value, set := map[string]string{"A": "2m"}[name]
		return value, set
	}
	cfg, _, err := config.Parse("x.yaml", source, config.Options{AllowUnset: true, LookupEnv: values})
	if err != nil || cfg.Routes[0].Promote.Every != 2*time.Minute || cfg.Routes[0].Promote.For != 2*time.Minute || cfg.Routes[0].Promote.Check != 6*time.Second {
		t.Errorf("%+v %v", cfg, err)
	}
}

// TestPromoteStandsWhereTheStageStands: what moves is what has a stage.
func TestPromoteStandsWhereTheStageStands(t *testing.T) {
	t.Parallel()
	parse := func(group, first, second string) (*config.Config, error) {
		cfg, _, err := config.Parse("x.yaml", []byte("version: 1\nmonolith: http://h\nservices: { s: http://s }\nroutes:\n"+
			"  a: { match: /a, to: s"+first+" }\n  b: { match: /b, to: s"+second+" }\ngroups:\n  g: { routes: [a, b]"+group+" }\n"), config.Options{})
		return cfg, err
	}
	cfg, err := parse(", stage: canary 1%, promote: { then: live }, expires: 1h", "", "")
	if err != nil || !cfg.Groups[0].Promote.ThenLive || cfg.Groups[0].Expires != time.Hour || cfg.Routes[0].Promote != nil {
		t.Errorf("%+v %v", cfg, err)
	}
	if cfg, err = parse("", ", stage: canary 1%, promote: {}", ", stage: canary 2%"); err != nil || !slices.Equal(cfg.Routes[0].Promote.Steps, []int{100, 500, 2500, 5000, 10000}) {
		t.Errorf("%+v %v", cfg, err)
	}
	for want, build := range map[string]func() (*config.Config, error){
		`write it at group "g" (line 8)`: func() (*config.Config, error) { return parse(", stage: live", ", promote: {}", "") },
		"write it at its routes": func() (*config.Config, error) {
			return parse(", expires: 1h", ", stage: live", ", stage: live")
		},
	} {
		if _, err := build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	_, _, err = config.Parse("x.yaml", []byte("version: 1\nmonolith: http://h\nroutes: { r: { match: /r, stage: monolith, promote: {} } }\n"), config.Options{})
	if err == nil || !strings.Contains(err.Error(), "no service to be judged") {
		t.Error(err)
	}
}
