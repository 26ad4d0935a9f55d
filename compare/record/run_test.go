package record_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stranglerfig/toolkit/compare/record"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("RECORD_AND_DIE"); dir != "" {
		recordForever(dir)
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func jsonOf(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func healthy(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	t.Cleanup(s.Close)
	return s.URL
}

func plan(t *testing.T, script string) record.Plan {
	t.Helper()
	return record.Plan{
		Name: "before 1", Services: []record.Service{{Target: healthy(t)}}, Dir: t.TempDir(), Wait: 5 * time.Second,
		Command: record.Command{Args: []string{"sh", "-c", script}, Env: os.Environ(), Timeout: 30 * time.Second, Grace: 200 * time.Millisecond},
	}
}

func TestRunSaysWhatMakesARunWorthless(t *testing.T) {
	t.Parallel()
	const call = `curl -sf "$BASE_URL/x" >/dev/null; `
	for name, c := range map[string]struct {
		change func(p *record.Plan)
		script string
		want   string
	}{
		"fine":             {nil, call, ""},
		"fails":            {nil, call + "exit 3", ""}, // an outcome, and no problem
		"no exchange":      {nil, "true", "no request came to the recorder"},
		"not there":        {func(p *record.Plan) { p.Command.Args = []string{"no-such-command-here"} }, "", "no-such-command-here"},
		"hangs":            {func(p *record.Plan) { p.Command.Timeout = 300 * time.Millisecond }, call + "sleep 1000", "took too long"},
		"reset fails":      {func(p *record.Plan) { p.Reset = []record.Reset{{Command: []string{"sh", "-c", "exit 4"}}} }, call, "the reset failed"},
		"unreachable":      {func(p *record.Plan) { p.Services[0].Target, p.Wait = "http://127.0.0.1:1", 100*time.Millisecond }, call, "cannot be reached"},
		"cached":           {func(p *record.Plan) { p.Results = "gotest" }, call + `printf '{"Action":"output","Package":"a/b","Output":"ok  \\ta/b\\t(cached)\\n"}\n{"Action":"pass","Package":"a/b"}\n'`, "from its cache"},
		"no report":        {func(p *record.Plan) { p.Results = "junit:nothing-here/*.xml" }, call, "no JUnit report"},
		"no tests, gotest": {func(p *record.Plan) { p.Results = "gotest" }, call, "no event of go test -json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan(t, c.script)
			if c.change != nil {
				c.change(&p)
			}
			info, err := record.Run(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if (info.Problem == "") != (c.want == "") || !strings.Contains(info.Problem, c.want) {
				t.Errorf("problem %q, want %q", info.Problem, c.want)
			}
			rec, err := record.Open(p.Dir)
			if err != nil || rec.Info.Problem != info.Problem {
				t.Errorf("the recording says %q, %v", rec.Info.Problem, err)
			}
		})
	}
}

func TestRunFillsInTheURL(t *testing.T) {
	t.Parallel()
	p := plan(t, "")
	p.Services[0].URLEnv = []string{"ORDERS_URL", "SHOP"}
	p.Command.Args = []string{"sh", "-c", `test "$ORDERS_URL" = "$SHOP" && test "$SHOP" = "$1" && curl -sf "$1/x"`, "sh", "{{base_url}}"}
	info, err := record.Run(t.Context(), p)
	if err != nil || info.Problem != "" || info.ExitCode != 0 || info.Exchanges != 1 {
		t.Errorf("%+v, %v", info, err)
	}
}

// alive reports whether a process exists and is no zombie.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// gone waits until the process whose number a file holds is gone.
func gone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if !alive(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	t.Errorf("process %d outlived the run", pid)
}

func TestNoProcessOutlivesTheRun(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs /proc")
	}
	// A child that ignores the request to end, left behind in the background.
	const child = `sh -c 'trap "" TERM INT HUP; echo $$ > "$PIDFILE"; while :; do sleep 0.05; done' & while [ ! -s "$PIDFILE" ]; do sleep 0.01; done; curl -sf "$BASE_URL/x"; `
	for name, c := range map[string]struct {
		script  string
		timeout time.Duration
		cancel  bool
	}{
		"left behind": {child, time.Minute, false},
		"timeout":     {child + "wait", time.Second, false},
		"interrupted": {child + "wait", time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan(t, c.script)
			pidFile := filepath.Join(t.TempDir(), "pid")
			p.Command.Env = append(p.Command.Env, "PIDFILE="+pidFile)
			p.Command.Timeout = c.timeout
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.cancel {
				go func() {
					for ctx.Err() == nil {
						if text, err := os.ReadFile(filepath.Join(p.Dir, "exchanges.ndjson")); err == nil && len(text) > 0 {
							cancel()
						}
						time.Sleep(5 * time.Millisecond)
					}
				}()
			}
			_, err := record.Run(ctx, p)
			if c.cancel != (err != nil) {
				t.Errorf("error %v", err)
			}
			gone(t, pidFile)
			rec, err := record.Open(p.Dir)
			if err != nil || len(rec.Exchanges) != 1 {
				t.Errorf("the recording: %v", err)
			}
		})
	}
}

// recordForever records a command that does not end, for a test that kills this process.
func recordForever(dir string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	_, _ = record.Run(context.Background(), record.Plan{
		Name: "before 1", Services: []record.Service{{Target: s.URL}}, Dir: dir,
		Command: record.Command{Args: []string{"sh", "-c", `echo $$ > "$PIDFILE"; while :; do curl -s "$BASE_URL/x"; done`}, Env: append(os.Environ(), "PIDFILE="+filepath.Join(dir, "pid"))},
	})
}

func TestAKilledRecorderLeavesAReadableRecording(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs /proc and a kernel that ends children")
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RECORD_AND_DIE="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := 0; lines < 20; {
		text, _ := os.ReadFile(filepath.Join(dir, "exchanges.ndjson"))
		lines = strings.Count(string(text), "\n")
		time.Sleep(5 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	rec, err := record.Open(dir)
	if err != nil || len(rec.Exchanges) < 20 || rec.Info.Status != record.Running {
		t.Fatalf("%d exchanges, status %q: %v", len(rec.Exchanges), rec.Info.Status, err)
	}
	gone(t, filepath.Join(dir, "pid"))
	// The same, cut off in the middle of the last line.
	path := filepath.Join(dir, "exchanges.ndjson")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "exchanges.ndjson", string(text[:len(text)-10]))
	torn, err := record.Open(dir)
	if err != nil || !torn.Torn || len(torn.Exchanges) < len(rec.Exchanges)-1 {
		t.Errorf("torn: %d exchanges: %v", len(torn.Exchanges), err)
	}
}
