package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/outcome"
	"github.com/stranglerfig/toolkit/compare/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sample has one of everything, and texts that are markup in each of the formats.
func sample() *report.Report {
	nasty := "<script>alert(1)</script> | `x` ]]> & \x00 %0A ::error::"
	f := report.Finding{
		ID: "0badcafe", Route: "GET /orders/{}", Name: "orders-read", ServedBy: []string{"orders"}, Kind: differ.Value, Severity: differ.Breaking,
		Part: differ.InBody, Class: "/items/*/name", Count: 3, Exchanges: 2, Compared: 7, Samples: 4, Pointer: "/items/0/name",
		Before: `"lamp"`, After: fmt.Sprintf("%q", nasty), Explanation: "another value", Tests: []string{"TestOrders"}, Example: 12,
		Curl: [2]string{"curl -i http://127.0.0.1:9000/orders/1", "curl -i http://127.0.0.1:8080/orders/1"},
	}
	accepted := f
	accepted.ID, accepted.Class, accepted.Accept = "0badbeef", "/total", &report.Accept{Reason: "two decimals now", Until: "2026-12-31"}
	return &report.Report{
		Schema: 1, Verdict: report.Differs, Reasons: []string{"1 breaking difference", "1 test worse than before"}, FailOn: []string{"breaking"},
		Runs: []report.Run{
			{Name: "before 1", Side: "before", Target: "http://127.0.0.1:9000", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 2.5, Exchanges: 7, Tests: 2},
			{Name: "after 1", Side: "after", Target: "http://127.0.0.1:8080", Exchanges: 7, Tests: 2},
		},
		Totals: report.Totals{
			Exchanges: 7, Leaves: 70, Relaxed: 5, Findings: map[string]int{"breaking": 1},
			Tests: map[outcome.Verdict]int{outcome.Same: 1, outcome.NewlyFailing: 1},
		},
		Findings: []report.Finding{f}, Accepted: []report.Finding{accepted},
		Calls: []report.Call{{ID: "0badf00d", Side: "after", Route: "GET /health", Count: 2, Tests: []string{"TestOrders"}}},
		Outcomes: []outcome.Row{
			{Name: "TestOrders", Verdict: outcome.Same, Before: []outcome.Status{"pass", "pass"}, After: []outcome.Status{"pass"}},
			{Name: "TestOther " + nasty, Verdict: outcome.NewlyFailing, Before: []outcome.Status{"pass", "pass"}, After: []outcome.Status{"fail"}, Message: nasty},
		},
		Routes: []report.Route{{Route: "GET /orders/{}", Name: "orders-read", Exchanges: 7, Statuses: map[int]int{200: 6, 404: 1}, ServedBy: map[string]int{"orders": 7}, Leaves: 70, Relaxed: 5, Findings: 1, Verdict: report.Differs}},
		Noise:  []report.Noise{{NoisyClass: differ.NoisyClass{Route: "GET /orders/{}", Part: differ.InBody, Class: "/at", Samples: 2, Varied: 2, Shapes: []string{"timestamp"}}, Few: true}},
		Examples: []report.Example{{
			Number: 12, Test: "TestOrders", Route: "GET /orders/{}", Method: "GET",
			Before: report.Side{Path: "/orders/1", Status: 200, Body: `{"items":[{"name":"lamp"}],"at":"2026-01-01T00:00:00Z"}`},
			After:  report.Side{Path: "/orders/1", Status: 200, Body: `{"items":[{"name":"<script>"}],"at":"2026-01-01T00:00:09Z"}`},
			Marks:  []report.Mark{{Pointer: "/items/0/name", Why: "value: another value"}, {Pointer: "/at", Why: "BEFORE differed from itself here", Relaxed: true}},
		}},
		Coverage: []report.Coverage{{Name: "orders-read", Match: "GET /orders/{id}", Requests: 7, Success: 6, Error: 1, Required: true, Covered: true}},
		Warnings: []string{"a note"}, Next: []string{"strangler compare explain 0badcafe"},
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(r *report.Report, w io.Writer) error{
		"report.txt":  (*report.Report).Terminal,
		"report.html": (*report.Report).HTML,
		"report.md":   (*report.Report).Markdown,
		"github.txt":  (*report.Report).GitHub,
		"junit.xml":   (*report.Report).JUnit,
		"report.json": func(r *report.Report, w io.Writer) error {
			text, err := r.JSON()
			_, _ = w.Write(text)
			return err
		},
		"explain.txt": func(r *report.Report, w io.Writer) error {
			_, err := r.Explain(w, "0badcafe")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got, again bytes.Buffer
			if err := write(sample(), &got); err != nil {
				t.Fatal(err)
			}
			if err := write(sample(), &again); err != nil || got.String() != again.String() {
				t.Error("the same report gave other bytes")
			}
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(want, got.Bytes()) {
				t.Errorf("%s is another one (%v); go test ./compare/report -update, and read the difference", golden, err)
			}
			if strings.HasSuffix(name, ".html") && (strings.Contains(got.String(), "<script>alert") || strings.Contains(got.String(), "src=") || strings.Contains(got.String(), "url(")) {
				t.Error("the page runs what it shows, or needs the network")
			}
		})
	}
}

// JUnit readers have to take what we write.
func TestJUnitIsJUnit(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := sample().JUnit(&text); err != nil {
		t.Fatal(err)
	}
	o, err := outcome.JUnit(&text)
	if err != nil || len(o.Tests) != 4 {
		t.Fatalf("%+v, %v", o, err)
	}
	failed := 0
	for _, test := range o.Tests {
		if test.Status == outcome.Fail {
			failed++
		}
	}
	if failed != 3 { // the verdict, the route, the test
		t.Errorf("%d cases failed: %+v", failed, o.Tests)
	}
}

func TestReadRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.json")
	if err := sample().Write(path); err != nil {
		t.Fatal(err)
	}
	r, err := report.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(r)
	if b, _ := json.Marshal(sample()); !bytes.Equal(a, b) {
		t.Errorf("read %s\nwrote %s", a, b)
	}
	for _, text := range []string{"", "[]", `{"schema":2}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := report.Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestPageNeedsNoNetwork: the page forbids the browser to load anything, and asks for nothing.
func TestPageNeedsNoNetwork(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	if err := sample().HTML(&page); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), `content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"`) {
		t.Error("the page does not forbid to load things")
	}
	for _, asks := range []string{"<link", "<img", "<iframe", " src=", "@import", "url(", "fetch(", "XMLHttpRequest"} {
		if strings.Contains(page.String(), asks) {
			t.Errorf("the page has %s", asks)
		}
	}
}

// TestPageStaysSmall: five thousand exchanges, each with a finding of its own.
func TestPageStaysSmall(t *testing.T) {
	t.Parallel()
	r := sample()
	body := `{"text":"` + strings.Repeat("x", 2000) + `"}`
	for i := range 200 { // as many examples as a report keeps
		e := r.Examples[0]
		e.Number, e.Before.Body, e.After.Body = 100+i, body, body
		r.Examples = append(r.Examples, e)
	}
	for i := range 5000 {
		f := r.Findings[0]
		f.ID, f.Example, f.Class = fmt.Sprintf("%08x", i), 100+i%200, fmt.Sprintf("/place/%d", i)
		r.Findings = append(r.Findings, f)
	}
	var page bytes.Buffer
	if err := r.HTML(&page); err != nil {
		t.Fatal(err)
	}
	if page.Len() > 5_000_000 {
		t.Errorf("the page has %d bytes", page.Len())
	}
}
