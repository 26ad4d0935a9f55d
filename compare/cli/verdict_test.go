package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/compare/cli"
	"github.com/stranglerfig/toolkit/compare/outcome"
	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/internal/program"
)

// answered is an exchange of a synthetic recording.
func answered(took time.Duration, body string) record.Exchange {
	return record.Exchange{
		Method: http.MethodGet, Path: "/thing", Status: http.StatusOK, Duration: took,
		Response: record.Message{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body), Length: int64(len(body))},
	}
}

// writeRecording writes a recording of exchanges that came a second after the other.
func writeRecording(t *testing.T, exchanges []record.Exchange, tests ...outcome.Test) string {
	t.Helper()
	dir := t.TempDir()
	if len(tests) == 0 {
		tests = outcome.Exit(0).Tests
	}
	var lines strings.Builder
	for i, e := range exchanges {
		e.Seq, e.Start = i+1, time.Duration(i)*time.Second
		line, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "%s\n", line)
	}
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, v := range map[string]any{
		"run.json":         record.Info{Schema: 1, Name: filepath.Base(dir), Started: began, Ended: began.Add(time.Hour), Status: record.Complete, Exchanges: len(exchanges)},
		"outcomes.json":    outcome.Outcomes{Tests: tests},
		"exchanges.ndjson": nil,
	} {
		text := []byte(lines.String())
		if v != nil {
			var err error
			if text, err = json.Marshal(v); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// diff judges recordings; the last of them is of AFTER.
func diff(t *testing.T, recordings []string, flags ...string) result {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{"diff", "--out", dir, "--accept-file", filepath.Join(dir, "accept.json")}, flags...)
	return compareCommand(t.Context(), t, cli.Options{}, append(args, recordings...)...)
}

// TestTooNoisyIsInconclusive: where more than 30 % of a route's values differ by chance, nobody
// can say that AFTER is the same; but what is wrong is wrong there, too.
func TestTooNoisyIsInconclusive(t *testing.T) {
	t.Parallel()
	const quiet = `"a":1,"b":2,"c":"three","d":true,"e":null`
	for _, c := range []struct {
		name  string
		after string // of the fields that do not vary
		noisy int    // fields that vary, beside five that do not and the content type
		code  int
		want  string
	}{
		{"quiet", quiet, 0, program.OK, "SAME"},
		{"2 of 8", quiet, 2, program.OK, "SAME"},
		{"3 of 9", quiet, 3, program.Refused, "12 of its 36 values differ from run to run of BEFORE"},
		{"3 of 9, and wrong", strings.Replace(quiet, "three", "four", 1), 3, program.Differs, "body /c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			recorded := func(run int, quiet string) string {
				var list []record.Exchange
				for i := range 4 {
					body := "{" + quiet
					for f := range c.noisy {
						body += fmt.Sprintf(`,"noise%d":%d`, f, 1000*run+10*i+f)
					}
					list = append(list, answered(time.Millisecond, body+"}"))
				}
				return writeRecording(t, list)
			}
			got := diff(t, []string{recorded(1, quiet), recorded(2, quiet), recorded(3, c.after)})
			if got.code != c.code || !strings.Contains(got.out, c.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", got.code, c.code, c.want, got.out, got.err)
			}
		})
	}
}

// TestOutcomesDecide goes through what a test can do in two runs of each side.
func TestOutcomesDecide(t *testing.T) {
	t.Parallel()
	once := []record.Exchange{answered(time.Millisecond, `{"a":1}`)}
	run := func(status byte) string { // p f s, - is none
		tests := []outcome.Test{{Name: "Always", Status: outcome.Pass}}
		if s, ok := map[byte]outcome.Status{'p': outcome.Pass, 'f': outcome.Fail, 's': outcome.Skip}[status]; ok {
			tests = append(tests, outcome.Test{Name: "TestIt", Status: s})
		}
		return writeRecording(t, once, tests...)
	}
	for runs, want := range map[string]struct {
		code int
		text string
	}{
		"pppp": {program.OK, ""},
		"ffff": {program.OK, "failing before, too"},
		"ffpp": {program.OK, "newly passing"},
		"--pp": {program.OK, "new"},
		"ppff": {program.Differs, "newly failing"},
		"pppf": {program.Differs, "flaky after"},
		"ppp-": {program.Differs, "flaky after"},
		"pp--": {program.Differs, "missing"},
		"ppss": {program.Differs, "skip"},
		"--ff": {program.Differs, "newly failing"},
		"pfpp": {program.Refused, "1 test with different outcomes in the runs of BEFORE"},
		"pfff": {program.Refused, "flaky before"},
		"p-pp": {program.Refused, "flaky before"},
	} {
		t.Run(runs, func(t *testing.T) {
			t.Parallel()
			var list []string
			for i := range runs {
				list = append(list, run(runs[i]))
			}
			got := diff(t, list, "--after-runs", "2")
			if got.code != want.code || !strings.Contains(got.out, want.text) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", got.code, want.code, want.text, got.out, got.err)
			}
			if want.code != program.Differs {
				return
			}
			if got = diff(t, list, "--after-runs", "2", "--fail-on", "order"); got.code != program.OK {
				t.Errorf("exit code %d, though only an order would be a difference:\n%s%s", got.code, got.out, got.err)
			}
		})
	}
}

// TestLatencyDecides: AFTER is slower only when there are enough samples, chance is ruled out and a
// person would notice, against every run of BEFORE; and it matters only to whom it matters.
func TestLatencyDecides(t *testing.T) {
	t.Parallel()
	took := func(n int, base time.Duration) string { // from base to 1.2 base
		var list []record.Exchange
		for i := range n {
			list = append(list, answered(base+base/5*time.Duration(i)/time.Duration(n), `{"a":1}`))
		}
		return writeRecording(t, list)
	}
	const ms = time.Millisecond
	for _, c := range []struct {
		name               string
		n                  int
		one, another, then time.Duration
		slower             bool
	}{
		{"ten times", 40, 10 * ms, 11 * ms, 100 * ms, true},
		{"just enough samples", 20, 10 * ms, 11 * ms, 100 * ms, true},
		{"one too few", 19, 10 * ms, 11 * ms, 100 * ms, false},
		{"nobody would notice", 40, 2 * ms, 2 * ms, 18 * ms, false},
		{"not half as much again", 40, 100 * ms, 100 * ms, 140 * ms, false},
		{"BEFORE was as slow once", 40, 10 * ms, 100 * ms, 100 * ms, false},
		{"faster", 40, 100 * ms, 100 * ms, 10 * ms, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list := []string{took(c.n, c.one), took(c.n, c.another), took(c.n, c.then)}
			if got := diff(t, list); got.code != program.OK {
				t.Errorf("exit code %d, though nobody asked:\n%s%s", got.code, got.out, got.err)
			}
			got := diff(t, list, "--fail-on", "breaking,latency")
			want := map[bool]int{true: program.Differs, false: program.OK}[c.slower]
			if got.code != want || c.slower != strings.Contains(got.out, "GET /thing is slower") {
				t.Errorf("exit code %d, want %d:\n%s%s", got.code, want, got.out, got.err)
			}
		})
	}
}

// Samples of which a few are slow by chance do not make AFTER slow.
func TestLatencyNeedsMoreThanChance(t *testing.T) {
	t.Parallel()
	var list []string
	for run := range 3 {
		var exchanges []record.Exchange
		for i := range 40 {
			took := 10*time.Millisecond + time.Duration(i*37%40)*time.Microsecond
			if run == 2 && i >= 37 { // the slowest 7.5 %, and so the 95th percentile
				took = 500 * time.Millisecond
			}
			exchanges = append(exchanges, answered(took, `{"a":1}`))
		}
		list = append(list, writeRecording(t, exchanges))
	}
	if got := diff(t, list, "--fail-on", "latency"); got.code != program.OK {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.err)
	}
}
