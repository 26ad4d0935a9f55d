package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func TestRunTests(t *testing.T) {
	t.Parallel()
	cfg, err := parse(fileWithRoutes(
		"live: { match: /live/**, to: s, stage: live }",
		`beta: { match: { path: /live/x, host: shop.example, headers: { X-Beta: "*" }, query: { a: 1 } }, stage: monolith }`,
	)+`tests:
  - GET /live/x -> s
  - "GET   /live/x?a=1 x-beta:yes Host:shop.example ->monolith"
  - GET /live/x -> monolith
  - GET /live/x -> monolith or s
  - PURGE /else -> s
  - GET /live/..%2felse -> refused
  - ${METHOD} /live -> s
`, config.Options{LookupEnv: env("METHOD", "PUT")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range cfg.RunTests() {
		got = append(got, fmt.Sprintf("%d:%d %v %s %s", r.Line, r.Column, r.Passed, r.Route, r.Owner))
	}
	want := []string{
		"8:5 true live s", "9:5 true beta monolith", "10:5 false live s", "11:5 true live s",
		"12:5 false default monolith", "13:5 true default refused", "14:5 true live s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBadTests(t *testing.T) {
	t.Parallel()
	for tests, want := range map[string]string{
		"tests: GET /a -> s":                  "5:8: tests must be a list, this is a text",
		"tests: [7]":                          "5:9: a test must be a text, this is a number",
		"tests: [GET /a]":                     "a test is METHOD /path",
		"tests: [/a -> s]":                    "a test is METHOD /path",
		"tests: [get /a -> s]":                `method "get" is not written in capitals`,
		"tests: [GET a -> s]":                 `the path "a" does not start with /`,
		"tests: [GET /a B -> s]":              `"B" is no header`,
		"tests: [GET /a ->]":                  "who answers is missing",
		"tests: [GET /a -> s or]":             "who answers is missing",
		"tests: [GET /a -> s s]":              `"s" where only "or" may stand`,
		"tests: [GET /a -> monlith]":          `"monlith" is neither monolith, a service nor refused (did you mean "monolith"?)`,
		"tests:\n  - GET /a X-Beta: yes -> s": "6:5: a test must be a text, this is a mapping (write Name:value without a blank",
	} {
		_, err := parse("version: 1\nmonolith: http://127.0.0.1:9000\nservices: {s: http://127.0.0.1:9001}\nroutes:\n"+tests+"\n", config.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", tests, err, want)
		}
	}
	if cfg, err := parse("version: 1\nmonolith: http://127.0.0.1:9000\ntests:\n", config.Options{}); err != nil || len(cfg.Tests) != 0 {
		t.Errorf("no tests: %v", err)
	}
}

// A test of a canary names everybody who may answer; with a key it is exact.
func TestRunTestsOfCanaries(t *testing.T) {
	t.Parallel()
	cfg, err := parse(fileWithRoutes(
		"half: { match: GET /half, to: s, stage: canary 50%, sticky: [header:X-User-Id, auto-cookie], cohorts: [ { header: \"X-Beta: yes\" } ] }",
		"keyed: { match: GET /keyed, to: s, stage: canary 50%, sticky: [header:X-User-Id] }",
		"nobody: { match: GET /nobody, to: s, stage: canary 0% }",
		"all: { match: /all, to: s, stage: canary 100% }",
	)+`tests:
  - GET /half -> s or monolith
  - GET /half -> s
  - GET /half -> monolith
  - GET /half X-User-Id:1 -> `+ownerOf("half", "1")+`
  - GET /half X-User-Id:2 -> `+ownerOf("half", "2")+`
  - GET /half X-Beta:yes -> s
  - GET /keyed -> monolith
  - GET /nobody -> monolith
  - GET /all -> s
  - POST /all -> monolith
`, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var failed []string
	for _, r := range cfg.RunTests() {
		if !r.Passed {
			failed = append(failed, r.Text+": "+r.Owner)
		}
	}
	if want := []string{"GET /half -> s: s or monolith", "GET /half -> monolith: s or monolith"}; !slices.Equal(failed, want) {
		t.Errorf("failed: %q", failed)
	}
}

func ownerOf(salt, key string) string {
	if route.Bucket(salt, key) < 50_00 {
		return "s"
	}
	return "monolith"
}
