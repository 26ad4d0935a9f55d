package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// copiesFile is a file whose defaults, service, route's shadow and route's comparison are given.
func copiesFile(defaults, service, own, compare string) string {
	return "version: 1\nmonolith: http://h\ndefaults:\n  shadow: " + defaults + "\nservices:\n  s: { url: http://s" + service + " }\n" +
		"routes:\n  r:\n    match: /r\n    to: s\n    stage: shadow\n    shadow: " + own + "\n    compare: " + compare + "\n"
}

func TestCopies(t *testing.T) {
	t.Parallel()
	cfg, err := parse("version: 1\nmonolith: http://h\nservices: { s: http://s }\nroutes: { r: { match: /r, to: s, stage: shadow } }\n", config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := shadow.Default()
	if cfg.Shadow != want || want.Percent != 100 {
		t.Errorf("without a word: %+v, want %+v", cfg.Shadow, want)
	}
	want.Limits = shadow.Limits{}
	if r := cfg.Route("r"); r.Shadow != want || !reflect.DeepEqual(r.Compare, shadow.Rules{Margin: shadow.DefaultMargin}) {
		t.Errorf("a route without a word: %+v %+v", r.Shadow, r.Compare)
	}
	cfg, err = parse(copiesFile("{ percent: 50, max_body: 64KiB, max_inflight: 8, queue: 32, max_rps: 100, live_rps: 40, timeout: 2s, baseline_percent: 5%, keep: 7, writes: sandbox }",
		", sandbox: true", "{ percent: 0.25%, max_rps: 3, writes: none }", `{ ignore: [$.at, "$.links[*].href"], headers: [], secrets: [pin_code], noise_margin: 1% }`), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want = shadow.Settings{
		Percent: 50, Sandbox: true, MaxBody: 64 << 10, Timeout: 2 * time.Second, Baseline: 5, Keep: 7, LiveRate: 40,
		Limits: shadow.Limits{InFlight: 8, Queue: 32, Rate: 100},
	}
	if cfg.Shadow != want {
		t.Errorf("defaults: %+v, want %+v", cfg.Shadow, want)
	}
	want.Percent, want.Sandbox, want.Limits = 0.25, false, shadow.Limits{Rate: 3}
	rules := shadow.Rules{Ignore: []string{"$.at", "$.links[*].href"}, Headers: []string{}, Secrets: []string{"pin_code"}, Margin: 1}
	if r := cfg.Route("r"); r.Shadow != want || !reflect.DeepEqual(r.Compare, rules) {
		t.Errorf("route: %+v %+v", r.Shadow, r.Compare)
	}
	again, err := parse(copiesFile(config.ShadowText(cfg.Shadow), ", sandbox: true", config.ShadowText(cfg.Route("r").Shadow), config.CompareText(cfg.Route("r").Compare)), config.Options{})
	if err != nil || again.Shadow != cfg.Shadow || again.Route("r").Shadow != want || !reflect.DeepEqual(again.Route("r").Compare, rules) {
		t.Errorf("what is shown is not read back: %v %+v", err, again)
	}
	if c := cfg.ShadowConfig(); len(c.Routes) != 1 || c.Routes[0].Service != "s" || c.URLs["s"] != "http://s" || c.URLs["monolith"] != "http://h" || c.Limits.Queue != 32 {
		t.Errorf("for the copies: %+v", c)
	}
	if cfg, err := parse(copiesFile("{}", "", "off", "{}"), config.Options{}); err != nil || cfg.Route("r").Shadow.Percent != 0 {
		t.Errorf("off: %v", err)
	}
}

func TestBadCopies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ defaults, own, compare, want string }{
		{"{ percent: 101 }", "{}", "{}", `strangler.yaml:4:22: defaults.shadow.percent: "101%" is more than 100%`},
		{"{ percent: -1 }", "{}", "{}", "is no percentage"},
		{"{ percent: lots }", "{}", "{}", `"lots" has no %`},
		{"{ percnt: 1 }", "{}", "{}", `did you mean "percent"`},
		{"{ methods: all }", "{}", "{}", "is not safe"},
		{"{ writes: yes }", "{}", "{}", "is neither none nor sandbox"},
		{"{ writes: sandbx }", "{}", "{}", `did you mean "sandbox"`},
		{"{ writes: sandbox }", "{}", "{}", `strangler.yaml:4:21: writes: sandbox would change data of service "s" with copies of route "r"`},
		{"{}", "{ writes: sandbox }", "{}", `strangler.yaml:12:23: writes: sandbox would change data`},
		{"{ max_body: 1GiB }", "{}", "{}", "is not between 1KiB and 64MiB"},
		{"{ max_body: 1024 }", "{}", "{}", "needs a unit"},
		{"{ queue: 0 }", "{}", "{}", "a whole number from 1 to 10000"},
		{"{ max_inflight: 1.5 }", "{}", "{}", "a whole number from 1 to 1000"},
		{"{ live_rps: 0 }", "{}", "{}", "a whole number from 1"},
		{"{ max_rps: 0 }", "{}", "{}", "a whole number from 1"},
		{"{ timeout: 0s }", "{}", "{}", "must be more than 0s"},
		{"off", "{}", "{}", "defaults.shadow must be a mapping"},
		{"{}", "on", "{}", "must be a mapping"},
		{"{}", "{}", "{ ignore: $.a }", "must be a list"},
		{"{}", "{}", "{ ignore: [a.b] }", "strangler.yaml:13:25: "},
		{"{}", "{}", "{ ignore: ['$.a[?(@.x)]'] }", "neither an index nor * nor a quoted name"},
		{"{}", "{}", "{ ignore: [$.a, $.a] }", "stands there twice"},
		{"{}", "{}", "{ headers: [Content Type] }", "no name has such characters"},
		{"{}", "{}", "{ noise_margin: 200 }", "is more than 100%"},
	} {
		_, err := parse(copiesFile(c.defaults, "", c.own, c.compare), config.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s %s: %v, want %q", c.defaults, c.own, c.compare, err, c.want)
		}
	}
}

func TestCopiesOfWritesWouldSpoilASplit(t *testing.T) {
	t.Parallel()
	text := copiesFile("{}", ", sandbox: true", "{ writes: sandbox }", "{}") + "groups: { g: { routes: [r], split: orders } }\n"
	_, err := parse(text, config.Options{})
	if err == nil || !strings.Contains(err.Error(), `strangler.yaml:12:23: writes: sandbox would change with copies of route "r" what split "orders" keeps equal for service "s"`) {
		t.Errorf("%v", err)
	}
}
