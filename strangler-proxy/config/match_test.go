package config_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func fileWithRoutes(routes ...string) string {
	return "version: 1\nmonolith: http://127.0.0.1:9000\nservices: {s: http://127.0.0.1:9001}\nroutes:\n  " + strings.Join(routes, "\n  ") + "\n"
}

func TestLongMatch(t *testing.T) {
	t.Parallel()
	cfg, err := parse(fileWithRoutes(
		"plain: { match: /a, to: s, stage: live }",
		"long: { match: { method: GET, path: /a }, to: s, stage: live }",
		`host: { match: { path: /a, host: "*.Shop.example" }, to: s, stage: live }`,
		`beta: { match: { method: GET, path: /a, headers: { x-beta: yes }, query: { page: 2, all: true } }, to: s, stage: live }`,
		`variable: { match: { path: "${ROOT}/b", headers: { X-Beta: "*" } }, to: s, stage: live }`,
	), config.Options{LookupEnv: env("ROOT", "/base")})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"plain": "/a", "long": "GET /a", "host": "/a Host:*.shop.example", "beta": "GET /a X-Beta:yes ?all=true &page=2", "variable": "/base/b X-Beta:*",
	} {
		if got := cfg.Route(name).Match.String(); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	r, err := cfg.Table.Find(route.Head{Method: "GET", Path: "/a", Header: http.Header{"X-Beta": {"yes"}}, Query: "page=2&all=true"})
	if err != nil || r.Name != "beta" {
		t.Errorf("got %v %v", r, err)
	}
}

func TestBadMatches(t *testing.T) {
	t.Parallel()
	for match, want := range map[string]string{
		`7`:                                               `route "r".match must be a text, this is a number`,
		`[/a]`:                                            `route "r".match must be a text, this is a list`,
		`{ method: GET }`:                                 `route "r".match has no "path"`,
		`{ path: GET /a }`:                                `a path holds no blanks (write the method as method: GET)`,
		`{ path: a }`:                                     `the path "a" must start with "/"`,
		`{ path: /a, method: get }`:                       `method "get": a method is written in capitals`,
		`{ path: /a, method: GET /b }`:                    `"GET /b" is no method`,
		`{ path: /a, method: "" }`:                        `route "r".match.method is empty`,
		`{ path: /a, header: { A: b } }`:                  `unknown key "header" in route "r".match (did you mean "headers"?)`,
		`{ path: /a, headers: A }`:                        `route "r".match.headers must be a mapping, this is a text`,
		`{ path: /a, headers: { A: [b] } }`:               `route "r".match.headers.A must be a text, this is a list`,
		`{ path: /a, headers: { A: b, a: c } }`:           `header A stands there twice`,
		`{ path: /a, headers: { "a b": c } }`:             `"a b" is no name of a header`,
		`{ path: /a, headers: { Host: b } }`:              `write it as host`,
		`{ path: /a, headers: { X-Forwarded-For: b } }`:   `the proxy does not let it through`,
		`{ path: /a, headers: { x-strangler-force: b } }`: `the proxy does not let it through`,
		`{ path: /a, headers: { A: "b " } }`:              `"b " is no value of a header`,
		`{ path: /a, query: { a: 1, a: 2 } }`:             `query parameter a stands there twice`,
		`{ path: /a, query: { "": 1 } }`:                  `a query parameter has a name`,
		`{ path: /a, host: "shop.example:80" }`:           `a host is written without a port`,
		`{ path: /a, host: "shop.*" }`:                    `host "shop.*": a host is a name such as`,
		`{ path: /a, host: "" }`:                          `route "r".match.host is empty`,
	} {
		_, err := parse(fileWithRoutes("r: { match: "+match+", to: s, stage: live }"), config.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", match, err, want)
		}
	}
}

// Two routes between which nothing decides are refused, however they are written.
func TestAmbiguousConditions(t *testing.T) {
	t.Parallel()
	two := func(first, second string) string {
		return fileWithRoutes(fmt.Sprintf("a: { match: %s, stage: monolith }", first), fmt.Sprintf("b: { match: %s, stage: monolith }", second))
	}
	for _, bad := range []struct{ first, second, want string }{
		{`"GET /a/{x}"`, `{ method: GET, path: "/a/{y}" }`, `strangler.yaml:6:15: route "b" (line 6) matches the same requests as route "a" (line 5)`},
		{`{ path: /a, headers: { A: 1 } }`, `{ path: /a, headers: { B: 1 } }`, `can match the same request as route "a" (line 5), and neither is more specific: /a B:1 and /a A:1 (give one of them one condition more)`},
		{`{ path: /a, query: { A: "*" } }`, `{ path: /a, query: { B: "*" } }`, "neither is more specific"},
	} {
		_, err := parse(two(bad.first, bad.second), config.Options{})
		if err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s and %s: got %v, want %q in it", bad.first, bad.second, err, bad.want)
		}
	}
	if _, err := parse(two(`{ path: /a, headers: { A: 1 } }`, `{ path: /a, headers: { A: 2 } }`), config.Options{}); err != nil {
		t.Error(err)
	}
}
