package config_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(config.Schema())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	if err := c.AddResource("strangler.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("strangler.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// valueOf is the file as a JSON value, as an editor sees it.
func valueOf(t *testing.T, n *yamldoc.Node) any {
	t.Helper()
	switch n.Kind {
	case yamldoc.String:
		return n.Text
	case yamldoc.Number:
		return json.Number(n.Text)
	case yamldoc.Bool:
		return n.Text == "true"
	case yamldoc.Map:
		m := map[string]any{}
		for _, e := range n.Entries {
			m[e.Key] = valueOf(t, e.Value)
		}
		return m
	case yamldoc.List:
		l := []any{}
		for _, item := range n.Items {
			l = append(l, valueOf(t, item))
		}
		return l
	}
	return nil
}

const schemaHead = "version: 1\nmonolith: http://127.0.0.1:9000\n"

const everyKey = `version: 1
listen: :8000
tls: [ { cert: a.pem, key: a.key }, { cert: /b.pem, key: "${B:-b.key}", min: 1.3 } ]
h2c: true
limits: { header: 32KiB, url: 8KiB, body: 1GiB, connections: 1000, streams: 50, header_timeout: 5s, idle_timeout: 1m, stall_timeout: 30s }
trusted_proxies: [10.0.0.0/8, 192.0.2.1]
admin: { listen: 127.0.0.1:8001 }
monolith: { url: http://127.0.0.1:9000, timeout: 30s }
services:
  s: { url: [http://127.0.0.1:9001, "https://127.0.0.1:9002"], health: /healthz, slow_start: 3s, timeout: 1m30s, try_timeout: 1s, breaker: { open_at: 5 of 20, probes: 3, ramp: 0s } }
  t: http://127.0.0.1:9003
  v: { url: http://127.0.0.1:9005, health: { path: /healthz, interval: 3s, timeout: 1s } }
  u: { url: "${U:-http://127.0.0.1:9004}", breaker: off, sandbox: true }
defaults:
  timeout: 1.5s
  try_timeout: 500ms
  deadline: 3s
  retry: { max: 2, on: [connect, reset, timeout, 503], budget: 10% }
  fallback: { on: [connect, 503, 521-523], max: 20% }
  sticky: [header:X-User-Id, cookie:session, auto-cookie]
  shadow: { methods: safe, writes: none, percent: 50, max_body: 64KiB, max_inflight: 8, queue: 32, max_rps: 100, live_rps: 40, timeout: 2s, baseline_percent: 5%, keep: 7 }
force: { cidrs: [10.0.0.0/8, "::1"] }
groups:
  g: { routes: [c, d], stage: canary 12.5%, split: orders, sticky: [auto-cookie], promote: { steps: [12.5, 100%] }, expires: 2160h }
  h: { routes: [b] }
routes:
  a: { match: "GET /a/{id}", to: s, stage: live, timeout: 500ms, try_timeout: 100ms, deadline: 1s, fallback: { on: [connect] }, retry: { max: 0 }, shadow: { percent: 0.5%, writes: none, timeout: 1s, max_inflight: 2 }, compare: { ignore: [$.at, "$.links[*].href"], headers: [Content-Type], secrets: [pin_code], noise_margin: 2.5 }, expires: 24h, promote: { steps: [1, 50], every: 10m, for: 5m, check: 10s, min_requests: 100, threshold: 2, then: live, require: { error_delta: "<= 1%", p95_ratio: 2, mismatch: off, error_rate: 1%, p95: 1s } } }
  f: { match: POST /f, to: u, stage: shadow, shadow: { writes: sandbox } }
  i: { match: /i, to: u, stage: shadow, shadow: off, fallback: off, retry: off }
  b: { match: { method: GET, path: /b, host: "*.shop.example", headers: { X-Beta: yes, X-N: 1 }, query: { all: true } }, to: t, stage: monolith }
  c: { match: GET /c, to: s, cohorts: [ { header: "X-Beta: yes" }, { cidr: 10.0.0.0/8 } ] }
  d: { match: POST /c, to: s }
  e: { match: POST /e, to: s, stage: done, data: none, sticky: [auto-cookie] }
discovery: { quiet_after: 14d, state: seen.json }
tests:
  - GET /a/1 -> s
`

func TestSchemaAndCheckerAgree(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	good := []string{everyKey, schemaHead, schemaHead + "routes:\nservices: []\ntests:\n", schemaHead + "routes:\n  a: { match: /a, stage: monolith }\n"}
	bad := []string{
		"", "- a\n", "version: 1\n", "monolith: http://127.0.0.1:9000\n", "version: 2\nmonolith: http://127.0.0.1:9000\n",
		"version: '1'\nmonolith: http://127.0.0.1:9000\n", "version: 1\nmonolith: 127.0.0.1:9000\n", "version: 1\nmonolith: [http://127.0.0.1:9000]\n",
		"version: 1\nmonolith: { timeout: 3s }\n", schemaHead + "listen: 8080\n", schemaHead + "listen: localhost\n", schemaHead + "rutes: {}\n",
		schemaHead + "admin: 127.0.0.1:1\n", schemaHead + "defaults: { timeout: 3 }\n", schemaHead + "defaults: { timeout: soon }\n", schemaHead + "defaults: { timeout: }\n",
		schemaHead + "defaults: { fallback: { on: connect } }\n", schemaHead + "services: { s: { url: [] } }\n", schemaHead + "services: { s: { url: ftp://a } }\n",
		schemaHead + "services: { s: { url: http://a, health: healthz } }\n", schemaHead + "services: { -s: http://a }\n", schemaHead + "services: { s: 7 }\n",
		schemaHead + "routes: { a: /a }\n", schemaHead + "routes: { a: { stage: live } }\n",
		schemaHead + "services: { s: { url: http://a, breaker: on } }\n", schemaHead + "services: { s: { url: http://a, sandbox: 1 } }\n",
		schemaHead + "defaults: { retry: off }\n", schemaHead + "defaults: { retry: { max: two } }\n", schemaHead + "defaults: { retry: { budget: 20 } }\n",
		schemaHead + "routes: { a: { match: /a, stage: monolith, fallback: on } }\n", schemaHead + "routes: { a: { match: /a, stage: monolith, fallback: { max: 3 } } }\n",
		schemaHead + "defaults: { shadow: off }\n", schemaHead + "defaults: { shadow: { max_body: 7 } }\n", schemaHead + "defaults: { shadow: { percent: many } }\n",
		schemaHead + "routes: { a: { match: /a, stage: monolith, shadow: on } }\n", schemaHead + "routes: { a: { match: /a, stage: monolith, compare: { ignore: $.a } } }\n",
		schemaHead + "routes: { a: { match: a, stage: monolith } }\n", schemaHead + "routes: { a: { match: get /a, stage: monolith } }\n",
		schemaHead + "routes: { a: { match: /a, stage: lve } }\n", schemaHead + "routes: { a: { match: { method: GET }, stage: monolith } }\n",
		schemaHead + "routes: { a: { match: { path: /a, headers: [A] }, stage: monolith } }\n",
		schemaHead + "routes: { a: { match: { path: /a, query: { a: [1] } }, stage: monolith } }\n",
		schemaHead + "routes: { a: { match: { path: /a, header: { A: b } }, stage: monolith } }\n",
		schemaHead + "routes: { a: { match: /a, stage: canary } }\n", schemaHead + "routes: { a: { match: /a, stage: canary 5 } }\n", schemaHead + "routes: { a: { match: /a, stage: canary 101% } }\n",
		schemaHead + "routes: { a: { match: /a, stage: monolith, data: some } }\n", schemaHead + "routes: { a: { match: /a, stage: monolith, sticky: auto-cookie } }\n",
		schemaHead + "routes: { a: { match: /a, stage: monolith, cohorts: { cidr: 10.0.0.0/8 } } }\n", schemaHead + "routes: { a: { match: /a, stage: monolith, cohorts: [10.0.0.0/8] } }\n",
		schemaHead + "groups: { g: { stage: live } }\n", schemaHead + "groups: { g: { routes: [] } }\n", schemaHead + "groups: { g: { routes: a } }\n",
		schemaHead + "force: on\n", schemaHead + "force: { cidrs: [everybody] }\n", schemaHead + "force: { secret: hunter2hunter2hunter2 }\n",
		schemaHead + "defaults: { sticky: [] }\n", schemaHead + "groups: { g: { routes: [a], promote: [] } }\n",
		schemaHead + "routes: { a: { match: /a, stage: live, promote: { steps: [] } } }\n", schemaHead + "routes: { a: { match: /a, stage: live, promote: { then: shadow } } }\n",
		schemaHead + "tests: GET /a -> monolith\n", schemaHead + "tests: [GET /a]\n", schemaHead + "tests: [7]\n",
	}
	for i, source := range slices.Concat(good, bad) {
		_, doc, err := config.Parse("strangler.yaml", []byte(source), config.Options{})
		if doc == nil {
			t.Fatalf("%q: %v", source, err)
		}
		invalid := schema.Validate(valueOf(t, doc.Root))
		if wantGood := i < len(good); wantGood != (err == nil) || wantGood != (invalid == nil) {
			t.Errorf("%q: the checker says %v, the schema says %v", source, err, invalid)
		}
	}
}

// Whatever stands in the place of whatever value: what the schema refuses, the checker
// refuses too. The schema must never mark a good file.
func TestSchemaRefusesNoGoodFile(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	_, doc, err := config.Parse("strangler.yaml", []byte(everyKey), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	root := valueOf(t, doc.Root)
	refused := 0
	values := []any{nil, "text", "/path", "GET /x", "3s", "http://127.0.0.1:9005", "off", "live", "s", "5%", json.Number("7"), json.Number("1"), true, false, []any{}, []any{"text"}, map[string]any{}}
	mutate(root, func(place string) {
		invalid := schema.Validate(root)
		if invalid == nil {
			return
		}
		refused++
		text, err := json.Marshal(root) // JSON is YAML
		if err != nil {
			t.Fatal(err)
		}
		if _, checked := parse(string(text), config.Options{}); checked == nil {
			t.Errorf("%s: the schema refuses what the checker accepts: %v\n%s", place, invalid, text)
		}
	}, values)
	if refused < 300 {
		t.Errorf("only %d changed files were refused", refused)
	}
}

// mutate puts each of values in every place below value, one at a time, and takes
// every key away.
func mutate(value any, try func(place string), values []any) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			kept := v[key]
			for _, other := range values {
				v[key] = other
				try(fmt.Sprintf("%s = %v", key, other))
			}
			delete(v, key)
			try("without " + key)
			v[key] = kept
			mutate(kept, try, values)
		}
	case []any:
		for i, kept := range v {
			for _, other := range values {
				v[i] = other
				try(fmt.Sprintf("%d = %v", i, other))
			}
			v[i] = kept
			mutate(kept, try, values)
		}
	}
}

// Every type that a key has is known to the schema.
func TestSchemaKnowsEveryType(t *testing.T) {
	t.Parallel()
	var look func(path string, value any)
	look = func(path string, value any) {
		switch v := value.(type) {
		case map[string]any:
			if len(v) == 0 {
				t.Errorf("%s may be anything", path)
			}
			for key, below := range v {
				look(path+"/"+key, below)
			}
		case []any:
			for i, below := range v {
				look(fmt.Sprintf("%s/%d", path, i), below)
			}
		}
	}
	look("", config.Schema())
}

// Of the bad files, those with mistakes in a single place are refused by the schema too.
func TestSchemaRefusesBadFiles(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for _, name := range []string{"keys", "values", "list", "empty"} {
		source, err := os.ReadFile(filepath.Join("testdata/bad", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		_, doc, _ := config.Parse(name, source, config.Options{})
		if doc == nil {
			t.Fatalf("%s.yaml is no YAML", name)
		}
		if schema.Validate(valueOf(t, doc.Root)) == nil {
			t.Errorf("%s.yaml is accepted", name)
		}
	}
}
