package compared_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/report"
	"github.com/stranglerfig/toolkit/strangler-proxy/compared"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

const routes = `version: 1
monolith: http://127.0.0.1:9000
services: { orders: "http://127.0.0.1:9001", other: "http://127.0.0.1:9002" }
routes:
  read: { match: "GET /orders/{id}", to: orders, stage: monolith }
  list: { match: GET /orders, to: orders, stage: monolith }
`

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, _, err := config.Parse("strangler.yaml", []byte(text), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// reportOf is a comparison in which the service answered read, and the monolith list.
func reportOf(when time.Time, findings ...report.Finding) *report.Report {
	return &report.Report{
		Verdict: report.Same, FailOn: []string{"breaking"}, Findings: findings,
		Runs: []report.Run{{Side: "before", Started: when.Add(-time.Minute)}, {Side: "after", Started: when, Command: []string{"npm", "test"}}},
		Coverage: []report.Coverage{
			{Name: "read", Requests: 12, Success: 9, Error: 3, ServedBy: map[string]int{"orders": 11, "monolith": 1}},
			{Name: "list", Requests: 4, Success: 4, ServedBy: map[string]int{"monolith": 4}},
		},
	}
}

func note(t *testing.T, path string, cfg *config.Config, r *report.Report) map[string]compared.Entry {
	t.Helper()
	if err := compared.Note(path, cfg, r); err != nil {
		t.Fatal(err)
	}
	file, err := compared.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return file.Routes
}

// TestNote: what the service answered is remembered, the newest only, and nothing of what
// the monolith answered or of what was no comparison.
func TestNote(t *testing.T) {
	t.Parallel()
	path, cfg := compared.Path(filepath.Join(t.TempDir(), "strangler.yaml")), parse(t, routes)
	want := compared.Entry{When: noon, Verdict: report.Same, Exchanges: 12, Errors: 3, Service: 11, Definition: compared.Definition(cfg.Route("read"))}
	if got := note(t, path, cfg, reportOf(noon)); len(got) != 1 || got["read"] != want {
		t.Fatalf("%+v, want %+v for read alone", got, want)
	}
	older := reportOf(noon.Add(-time.Hour), report.Finding{Name: "read", Severity: differ.Breaking})
	if got := note(t, path, cfg, older); got["read"] != want {
		t.Errorf("an older comparison replaced a newer one: %+v", got)
	}
	invalid := reportOf(noon.Add(time.Hour))
	invalid.Verdict = report.Invalid
	if got := note(t, path, cfg, invalid); got["read"] != want {
		t.Errorf("what could not be compared was remembered: %+v", got)
	}
	differs := reportOf(noon.Add(2*time.Hour), report.Finding{Name: "read", Severity: differ.Breaking}, report.Finding{Name: "read", Severity: differ.Info}, report.Finding{Name: "list", Severity: differ.Breaking})
	if got := note(t, path, cfg, differs)["read"]; got.Verdict != report.Differs || got.Findings != 2 {
		t.Errorf("%+v", got)
	}
	slight := reportOf(noon.Add(3*time.Hour), report.Finding{Name: "read", Severity: differ.Info})
	if got := note(t, path, cfg, slight)["read"]; got.Verdict != report.Same || got.Findings != 1 {
		t.Errorf("%+v", got)
	}
	gone := parse(t, strings.Replace(routes, "read:", "show:", 1))
	if got := note(t, path, gone, slight); len(got) != 0 {
		t.Errorf("a route that is gone is still there: %+v", got)
	}
}

// TestDefinition: a route is another one when it takes other requests or leads elsewhere,
// not when its stage, its timeout or the address of its service change.
func TestDefinition(t *testing.T) {
	t.Parallel()
	was := compared.Definition(parse(t, routes).Route("read"))
	for _, c := range []struct {
		old, new string
		same     bool
	}{
		{"to: orders, stage: monolith }\n  list", "to: orders, stage: shadow, timeout: 3s }\n  list", true},
		{"{id}", "{number}", true},
		{"127.0.0.1:9001", "127.0.0.1:9009", true},
		{"GET /orders/{id}", "/orders/{id}", false},
		{"GET /orders/{id}", "GET /orders/{id}/lines", false},
		{"to: orders, stage: monolith }\n  list", "to: other, stage: monolith }\n  list", false},
	} {
		if now := compared.Definition(parse(t, strings.Replace(routes, c.old, c.new, 1)).Route("read")); (now == was) != c.same {
			t.Errorf("%s -> %s: same is %t, want %t", c.old, c.new, now == was, c.same)
		}
	}
}

// TestAtOnce: comparisons that end at the same time lose nothing of each other.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	text := "version: 1\nmonolith: http://127.0.0.1:9000\nservices: { s: \"http://127.0.0.1:9001\" }\nroutes:\n"
	names := strings.Split("abcdefghijklmnopqrst", "")
	for _, name := range names {
		text += "  " + name + ": { match: /" + name + ", to: s, stage: monolith }\n"
	}
	path, cfg := filepath.Join(t.TempDir(), "compared.json"), parse(t, text)
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			r := reportOf(noon)
			r.Coverage = []report.Coverage{{Name: name, Requests: 1}}
			if err := compared.Note(path, cfg, r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if file, err := compared.Read(path); err != nil || len(file.Routes) != len(names) {
		t.Errorf("%v: %d of %d routes", err, len(file.Routes), len(names))
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v: %d files", err, len(left))
	}
}

// TestForeignFile: a file that is something else is left alone.
func TestForeignFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "compared.json")
	for _, text := range []string{"", "{", `{"schema": 2}`, `{"schema": 1, "splits": {}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := compared.Note(path, parse(t, routes), reportOf(noon)); err == nil {
			t.Errorf("%q was taken for the file", text)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != text {
			t.Errorf("%q became %q (%v)", text, now, err)
		}
	}
}
