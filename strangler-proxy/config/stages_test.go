package config_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

const stagesFile = schemaHead + `services: { s: http://127.0.0.1:9001 }
defaults:
  sticky: [header:X-User-Id, cookie:session]
force: { cidrs: [10.0.0.0/8, 127.0.0.1], secret: "${FORCE}" }
groups:
  checkout: { routes: [read, write], split: orders, stage: canary 12.5% }
  loose: { routes: [plain], sticky: [auto-cookie] }
routes:
  read: { match: "GET /orders/{id}", to: s }
  write: { match: POST /orders, to: s }
  plain: { match: /plain, to: s, stage: live }
  alone: { match: /alone, to: s, stage: shadow, data: none, sticky: [cookie:a, auto-cookie], cohorts: [ { header: "x-beta: yes", cidr: 10.1.0.0/16 }, { cidr: "::1" } ] }
  done: { match: GET /done, to: s, stage: done }
`

func TestGroupsAndCanaries(t *testing.T) {
	t.Parallel()
	cfg, err := parse(stagesFile, config.Options{LookupEnv: env("FORCE", "a-long-enough-secret")})
	if err != nil {
		t.Fatal(err)
	}
	user, session := route.KeySource{Header: "X-User-Id"}, route.KeySource{Cookie: "session"}
	for name, want := range map[string]route.Route{
		"read":  {Group: "checkout", Stage: route.Canary(12_50), Data: route.DataSplit, Sticky: route.Sticky{user, session}},
		"write": {Group: "checkout", Stage: route.Canary(12_50), Data: route.DataSplit, Sticky: route.Sticky{user, session}},
		"plain": {Group: "loose", Stage: route.Live, Sticky: route.Sticky{{}}},
		"alone": {
			Stage: route.Shadow, Data: route.DataNone, Sticky: route.Sticky{{Cookie: "a"}, {}},
			Cohorts: []route.Cohort{
				{Header: route.Condition{Name: "X-Beta", Value: "yes"}, Peers: netip.MustParsePrefix("10.1.0.0/16")},
				{Peers: netip.MustParsePrefix("::1/128")},
			},
		},
		"done": {Stage: route.Done, Sticky: route.Sticky{user, session}},
	} {
		got := cfg.Route(name).Route
		want.Name, want.Match, want.Service = got.Name, got.Match, "s"
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
	if a, b := cfg.Mover(cfg.Route("read")), cfg.Mover(cfg.Route("plain")); a != "checkout" || b != "plain" {
		t.Errorf("moved by %s and %s", a, b)
	}
	if g := cfg.Group("checkout"); g == nil || !reflect.DeepEqual(*g, config.Group{Name: "checkout", Routes: []string{"read", "write"}, Split: "orders", Stage: route.Canary(12_50), Line: 8}) {
		t.Errorf("group: %+v", g)
	}
	if cfg.Group("read") != nil || !reflect.DeepEqual(cfg.GroupNames(), []string{"checkout", "loose"}) {
		t.Errorf("groups: %v", cfg.GroupNames())
	}
	want := route.Move{Route: "write", From: route.Canary(12_50), To: route.Live, Method: "POST", Data: route.DataSplit, Split: "orders"}
	if got := cfg.Move(cfg.Route("write"), route.Live); got != want {
		t.Errorf("move: %+v", got)
	}
	if strings.Contains(fmt.Sprintf("%+v", cfg), "a-long-enough-secret") {
		t.Error("the secret is kept")
	}
}

func TestSplitThatOwns(t *testing.T) {
	t.Parallel()
	cfg, err := parse(stagesFile, config.Options{AllowUnset: true, Owned: func(split string) bool { return split == "orders" }})
	if err != nil || cfg.Route("read").Data != route.DataMoved || cfg.Route("plain").Data != route.DataUnsaid || cfg.Route("alone").Data != route.DataNone {
		t.Errorf("%v: %+v", err, cfg)
	}
}

func TestForceSecret(t *testing.T) {
	t.Parallel()
	const source = schemaHead + "services: { s: http://127.0.0.1:9001 }\nroutes: { a: { match: /a, to: s, stage: shadow } }\nforce: { secret: %s }\n"
	parseWith := func(expression, secret string) (*config.Config, error) {
		return parse(fmt.Sprintf(source, expression), config.Options{LookupEnv: env("S", secret)})
	}
	for _, bad := range [][3]string{
		{`"${S}"`, "too-short", "shorter than 16"},
		{`"${S}"`, "with a blank inside", "a cookie cannot hold"},
		{`"${S}"`, "semicolon;semicolon", "a cookie cannot hold"},
		{`"${S}"`, "ümlautümlautümlaut", "a cookie cannot hold"},
		{`"${S:?ask Ann}"`, "", "ask Ann"},
		{`"${OTHER}"`, "", "OTHER is not set"},
		{`"${OTHER:?ask Ann}"`, "", "ask Ann"},
		{`"${OTHER:-the-default-secret}"`, "", "stands in the file"},
		{`"x${S}"`, "a-long-enough-secret", "stands in the file"},
		{"[a]", "", "must be a text"},
	} {
		if _, err := parseWith(bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), bad[2]) {
			t.Errorf("%s %q: %v, want %q", bad[0], bad[1], err, bad[2])
		}
	}
	cfg, err := parseWith(`"${S}"`, "a-long-enough-secret")
	if err != nil || cfg.Force.Secret != "${S}" {
		t.Fatalf("%v %+v", err, cfg)
	}
	for value, want := range map[string]route.Side{"service:a-long-enough-secret": route.ToService, "service:a-long-enough-secreT": route.ToMonolith, "service": route.ToMonolith, "service:": route.ToMonolith} {
		d, err := route.Decide(cfg.Table, route.Head{Method: "GET", Path: "/a", Header: http.Header{"X-Strangler-Force": {value}}})
		if err != nil || d.Side != want {
			t.Errorf("%s: %+v %v", value, d, err)
		}
	}
}

// An unset secret opens nothing, also not to nobody's guess of an empty one.
func TestUnsetSecretOpensNothing(t *testing.T) {
	t.Parallel()
	cfg, err := parse(stagesFile, config.Options{AllowUnset: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"service", "service:", "service:${FORCE}"} {
		d, err := route.Decide(cfg.Table, route.Head{Method: "GET", Path: "/alone", Header: http.Header{"X-Strangler-Force": {value}}})
		if err != nil || d.Side != route.ToMonolith {
			t.Errorf("%s: %+v %v", value, d, err)
		}
	}
}

// AC2: the order of the file means nothing.
func TestOrderOfTheFileMeansNothing(t *testing.T) {
	t.Parallel()
	head, rest, _ := strings.Cut(stagesFile, "groups:\n")
	groupLines, routeLines, _ := strings.Cut(rest, "routes:\n")
	groups, routes := strings.Split(strings.TrimSpace(groupLines), "\n"), strings.Split(strings.TrimSpace(routeLines), "\n")
	routes = append(routes, "read-any: { match: \"/orders/{id}\", to: s, stage: canary 40% }", "all: { match: \"/orders/**\", stage: monolith }",
		"beta: { match: { path: \"/orders/{id}\", headers: { X-Beta: yes } }, to: s, stage: live }")
	random := rand.New(rand.NewPCG(1, 2))
	shuffled := func() *config.Config {
		random.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
		random.Shuffle(len(routes), func(i, j int) { routes[i], routes[j] = routes[j], routes[i] })
		parts := []string{"groups:\n  " + trimmed(groups), "routes:\n  " + trimmed(routes)}
		random.Shuffle(2, func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		cfg, err := parse(head+strings.Join(parts, "\n")+"\n", config.Options{AllowUnset: true})
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	decideAll := func(cfg *config.Config) []string {
		var all []string
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
			for _, path := range []string{"/orders", "/orders/1", "/orders/1/2", "/plain", "/alone", "/done", "/other"} {
				for user := range 12 {
					h := http.Header{"X-User-Id": {fmt.Sprint(user)}}
					if user%4 == 0 {
						h.Set("X-Beta", "yes")
					}
					d, err := route.Decide(cfg.Table, route.Head{Method: method, Path: path, Header: h, Drawn: strings.Repeat("0", 32)})
					all = append(all, fmt.Sprintf("%s %s %d: %s %d %s %v %v %v", method, path, user, d.Name(), d.Side, d.Reason, d.Copy, d.Fallback, err))
				}
			}
		}
		return all
	}
	want := decideAll(shuffled())
	for range 100 {
		if got := decideAll(shuffled()); !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func trimmed(lines []string) string {
	var all []string
	for _, line := range lines {
		all = append(all, strings.TrimSpace(line))
	}
	return strings.Join(all, "\n  ")
}

// AC32: the monolith cannot be taken out of the file while a route is not done.
func TestMonolithStaysUntilAllIsDone(t *testing.T) {
	t.Parallel()
	for stage, want := range map[string]string{"canary 5%": `route "a" is at canary 5%, not done`, "done": "whatever no route takes"} {
		_, err := parse("version: 1\nservices: { s: http://127.0.0.1:9001 }\nroutes:\n  z: { match: /z, to: s, stage: done }\n  a: { match: /a, to: s, stage: "+stage+" }\n", config.Options{})
		if err == nil || !strings.Contains(err.Error(), `file has no "monolith" (`) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", stage, err)
		}
	}
}
