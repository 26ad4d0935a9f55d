package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

var update = flag.Bool("update", false, "rewrite the expected problems")

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func parse(source string, opts config.Options) (*config.Config, error) {
	cfg, _, err := config.Parse("strangler.yaml", []byte(source), opts)
	return cfg, err
}

func TestSmallestFile(t *testing.T) {
	t.Parallel()
	cfg, err := parse("version: 1\nmonolith: http://127.0.0.1:9000\n", config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != config.DefaultListen || cfg.Admin != config.DefaultAdmin || len(cfg.Routes) != 0 || cfg.Table == nil {
		t.Errorf("defaults: %+v", cfg)
	}
	if cfg.Monolith.URLs[0].String() != "http://127.0.0.1:9000" || cfg.Monolith.Timeout != 60*time.Second {
		t.Errorf("monolith: %+v", cfg.Monolith)
	}
	if want := []string{"connect", "reset", "timeout", "501", "502", "503", "504"}; !slices.Equal(cfg.Fallback.Words(), want) {
		t.Errorf("fallback: %v", cfg.Fallback.Words())
	}
}

func TestFullFile(t *testing.T) {
	t.Parallel()
	cfg, err := parse(`
version: 1
listen: :8000
admin: { listen: "[::1]:8001" }
monolith: { url: http://legacy:8080/, timeout: 30s }
services:
  orders: { url: [http://orders-1:9001, "https://orders-2:9001"], health: /healthz, timeout: 3s }
  plain: ${PLAIN:-http://127.0.0.1:9002}
defaults:
  timeout: 7s
  fallback: { on: [connect, 503, 521-523] }
routes:
  read:   { match: "GET /orders/{id}", to: orders, stage: live, timeout: 1500ms }
  list:   { match: GET /orders, to: orders, stage: live }
  plain:  { match: /plain/**, to: plain, stage: monolith }
  nobody: { match: POST /orders, stage: monolith }
`, config.Options{LookupEnv: env("OTHER", "x")})
	if err != nil {
		t.Fatal(err)
	}
	orders := cfg.Service("orders")
	if len(orders.URLs) != 2 || orders.Health != "/healthz" || cfg.Service("plain").URLs[0].Host != "127.0.0.1:9002" {
		t.Errorf("services: %+v", cfg.Services)
	}
	for name, want := range map[string]time.Duration{"read": 1500 * time.Millisecond, "list": 3 * time.Second, "plain": 7 * time.Second} {
		if got := cfg.Route(name).Timeout; got != want {
			t.Errorf("timeout of %s: %v, want %v", name, got, want)
		}
	}
	if cfg.Fallback.Status(502) || !cfg.Fallback.Status(522) || cfg.Fallback.Reset || !cfg.Fallback.Connect {
		t.Errorf("fallback: %v", cfg.Fallback.Words())
	}
	if r, err := cfg.Table.Find(route.Head{Method: "GET", Path: "/orders/7"}); err != nil || r.Name != "read" || r.Stage != route.Live {
		t.Errorf("table: %+v %v", r, err)
	}
}

// Every file in testdata/bad is wrong in several ways, and the file of the same name
// ending in .want says all of it.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 8 {
		t.Fatalf("found %v %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parse(string(source), config.Options{LookupEnv: env("EMPTY", "")})
			var problems *yamldoc.ProblemsError
			if !errors.As(err, &problems) {
				t.Fatalf("got %v", err)
			}
			expected := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(expected, []byte(err.Error()+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, _ := os.ReadFile(expected)
			if err.Error()+"\n" != string(want) {
				t.Errorf("got\n%s\nwant\n%s", err, want)
			}
		})
	}
}

// docs/reference/config.md is what Reference prints; -update rewrites it.
func TestReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	const page = "../../docs/reference/config.md"
	if *update {
		if err := os.WriteFile(page, []byte(config.Reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(page); err != nil || string(have) != config.Reference() {
		t.Errorf("%s is out of date (%v): go test ./strangler-proxy/config -update", page, err)
	}
}

// The example on the page is a good file.
func TestReferenceExample(t *testing.T) {
	t.Parallel()
	_, rest, _ := strings.Cut(config.Reference(), "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if _, err := parse(example, config.Options{}); err != nil || !found {
		t.Errorf("%v\n%s", err, example)
	}
}

func TestUnsetVariablesMayBeAllowed(t *testing.T) {
	t.Parallel()
	const source = "version: 1\nmonolith: ${URL}\nservices: {s: \"${OTHER}\"}\nroutes:\n  a: { match: /a, to: s, stage: live }\n"
	if _, err := parse(source, config.Options{}); err == nil || !strings.Contains(err.Error(), "environment variable URL is not set") {
		t.Errorf("strict: %v", err)
	}
	if cfg, err := parse(source, config.Options{AllowUnset: true}); err != nil || cfg.Route("a").Stage != route.Live {
		t.Errorf("lenient: %v", err)
	}
	if _, err := parse(source+"  b: { match: /b, to: t, stage: ${ }\n", config.Options{AllowUnset: true}); err == nil {
		t.Error("lenient: a bad route was accepted")
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "10.0.0.1:1": false, "[::]:1": false, "localhost.example:1": false, "127.0.0.1": false,
	} {
		if got := config.IsLoopback(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	f.Add([]byte("version: 1\nmonolith: http://h:1\nservices: {s: http://h:2}\nroutes:\n  a: { match: \"GET /a/{x}/**\", to: s, stage: live }\n"))
	f.Fuzz(func(t *testing.T, source []byte) {
		cfg, doc, err := config.Parse("f.yaml", source, config.Options{LookupEnv: env("A", "b")})
		var problems *yamldoc.ProblemsError
		switch {
		case err != nil:
			if !errors.As(err, &problems) || len(problems.Problems) == 0 || err.Error() == "" {
				t.Fatalf("an error without problems: %v", err)
			}
		case cfg.Table == nil || len(cfg.Monolith.URLs) != 1 || doc == nil:
			t.Fatalf("an incomplete configuration was accepted: %+v", cfg)
		default:
			for _, r := range cfg.Routes {
				if r.Stage.Word() == "" || r.Stage > route.Monolith && cfg.Service(r.Service) == nil {
					t.Fatalf("an unusable route was accepted: %+v", r)
				}
			}
		}
	})
}
