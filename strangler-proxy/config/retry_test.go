package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// inTrouble is a file whose lines 4 and 7 say what happens when a service is in trouble.
func inTrouble(defaults, route string) string {
	return "version: 1\nmonolith: http://h\nservices: { s: { url: http://s, try_timeout: 300ms } }\ndefaults: {" + defaults + "}\n" +
		"routes:\n  other: { match: /o, to: s, stage: live }\n  r: { match: /r, to: s, stage: live" + route + " }\n"
}

func TestRoutesInTrouble(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		defaults, route string
		retry           string // in the spelling of the file
		fallback        string // words
		try, deadline   time.Duration
	}{
		{"", "", "{ max: 0, on: [connect, reset], budget: 20% }", "connect reset timeout 501 502 503 504", 300 * time.Millisecond, 0},
		{"retry: { max: 2 }, deadline: 3s, try_timeout: 1s", "", "{ max: 2, on: [connect, reset], budget: 20% }", "connect reset timeout 501 502 503 504", 300 * time.Millisecond, 3 * time.Second},
		{"retry: { max: 2, on: [503], budget: 5% }", ", retry: { on: [timeout, reset] }", "{ max: 2, on: [reset, timeout], budget: 5% }", "connect reset timeout 501 502 503 504", 300 * time.Millisecond, 0},
		{"retry: { max: 2 }", ", retry: off, fallback: off, try_timeout: 0s", "{ max: 0, on: [connect, reset], budget: 20% }", "", 0, 0},
		{"fallback: { on: [503], max: 3 }, deadline: 3s", ", fallback: { on: [connect, 500] }, deadline: 1s", "{ max: 0, on: [connect, reset], budget: 20% }", "connect 500", 300 * time.Millisecond, time.Second},
		{"fallback: { on: [503], max: 3 }", ", fallback: {}", "{ max: 0, on: [connect, reset], budget: 20% }", "503", 300 * time.Millisecond, 0},
	} {
		cfg, _, err := config.Parse("x.yaml", []byte(inTrouble(c.defaults, c.route)), config.Options{})
		if err != nil {
			t.Errorf("%s%s: %v", c.defaults, c.route, err)
			continue
		}
		r := cfg.Route("r")
		if got := r.Retry.Text(); got != c.retry {
			t.Errorf("%s%s: retry %s, want %s", c.defaults, c.route, got, c.retry)
		}
		if got := strings.Join(r.Fallback.Words(), " "); got != c.fallback || r.Fallback.Max != cfg.Fallback.Max {
			t.Errorf("%s%s: fallback %s, max %s; want %s", c.defaults, c.route, got, r.Fallback.Max, c.fallback)
		}
		if r.Try != c.try || r.Deadline != c.deadline {
			t.Errorf("%s%s: try %s, deadline %s; want %s, %s", c.defaults, c.route, r.Try, r.Deadline, c.try, c.deadline)
		}
		if other := cfg.Route("other"); other.Fallback != cfg.Fallback || other.Retry != cfg.Retry {
			t.Errorf("%s%s: another route has %v, %v", c.defaults, c.route, other.Fallback, other.Retry)
		}
	}
}

func TestRoutesInTroubleProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ defaults, route, want string }{
		{"fallback: { twice: [POST] }", "", `"POST" in defaults.fallback.twice (PUT and DELETE may be listed`},
		{"", ", fallback: { twice: [put] }", `"put" in route "r".fallback.twice`},
		{"fallback: { twice: PUT }", "", "defaults.fallback.twice must be a list"},
		{"retry: { max: 11 }", "", "x.yaml:4:26: defaults.retry.max must be a whole number from 0 to 10"},
		{"retry: { max: -1 }", "", "a whole number from 0 to 10"},
		{"retry: { budget: 20 }", "", `defaults.retry.budget must be a percentage; write 20%`},
		{"retry: { budget: 0% }", "", `"0%" is not a percentage between 1% and 100%`},
		{"retry: { budget: 101% }", "", "is not a percentage"},
		{"retry: { on: reset }", "", "defaults.retry.on must be a list"},
		{"retry: { on: [rest] }", "", `unknown cause "rest" in defaults.retry.on (did you mean "reset"?)`},
		{"retry: off", "", "defaults.retry must be a mapping"},
		{"retry: { tries: 3 }", "", `unknown key "tries" in defaults.retry`},
		{"deadline: 5", "", "defaults.deadline needs a unit; write 5s"},
		{"", ", deadline: soon", `x.yaml:7:49: route "r".deadline: "soon" is no duration`},
		{"", ", try_timeout: 25h", `route "r".try_timeout: 25h is not between`},
		{"", ", fallback: on", `route "r".fallback must be a mapping`},
		{"", ", fallback: { max: 3 }", `unknown key "max" in route "r".fallback`},
		{"", ", fallback: { on: [404] }", `404 in route "r".fallback.on`},
		{"", ", retry: { max: 1.5 }", `route "r".retry.max must be a whole number`},
	} {
		_, _, err := config.Parse("x.yaml", []byte(inTrouble(c.defaults, c.route)), config.Options{})
		if err == nil || !strings.Contains(strings.NewReplacer(" (write", "; write", "20%)", "20%", "5s)", "5s").Replace(err.Error()), c.want) {
			t.Errorf("%s%s: %v, want %q", c.defaults, c.route, err, c.want)
		}
	}
}
