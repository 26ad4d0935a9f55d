package demo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/demo"
	"github.com/stranglerfig/toolkit/internal/shoptest"
)

var bin string // the real programs

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "demo-bin-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err := shoptest.Build(context.Background(), dir, "monolith", "recommendations", "reviews", "catalog", "strangler"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		bin = dir
		return m.Run()
	}())
}

// A rig is a folder and free ports for one demo.
type rig struct {
	t    *testing.T
	dir  string
	addr map[string]string // by flag
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: filepath.Join(t.TempDir(), "demo"), addr: map[string]string{}}
	for _, name := range []string{"proxy", "admin", "monolith", "recommendations", "reviews", "catalog"} {
		r.addr[name] = freeAddress(t)
	}
	t.Cleanup(func() { r.run("demo", "stop", "--dir", r.dir) })
	return r
}

var givenPorts sync.Map // to a rig, which has it for the whole test

// freeAddress returns an address that no other rig gets, and that the system gives no
// client: those are from the numbers above 32768.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		if _, given := givenPorts.LoadOrStore(addr, true); given {
			continue
		}
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// demoArgs are the arguments that start the demo of the rig.
func (r *rig) demoArgs(more ...string) []string {
	args := append([]string{"demo", "--dir", r.dir}, more...)
	for name, addr := range r.addr {
		args = append(args, "--"+name, addr)
	}
	return args
}

// run runs strangler and returns its exit code and what it printed.
func (r *rig) run(args ...string) (code int, stdout, stderr string) {
	r.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "strangler"), args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	runErr := cmd.Run()
	var exit *exec.ExitError
	if runErr != nil && !errors.As(runErr, &exit) {
		r.t.Fatal(runErr)
	}
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

func (r *rig) must(args ...string) string {
	r.t.Helper()
	code, stdout, stderr := r.run(args...)
	if code != 0 {
		r.t.Fatalf("strangler %v: exit %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

func (r *rig) status() demo.Status {
	r.t.Helper()
	st, err := demo.Look(r.t.Context(), r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

func (r *rig) program(name string) demo.ProgramStatus {
	r.t.Helper()
	for _, p := range r.status().Programs {
		if p.Name == name {
			return p
		}
	}
	r.t.Fatalf("status does not know %s", name)
	return demo.ProgramStatus{}
}

// get fetches path through the proxy.
func (r *rig) get(path string) (*http.Response, string) {
	r.t.Helper()
	res, err := http.Get("http://" + r.addr["proxy"] + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, string(body)
}

func (r *rig) servedBy(path string) string {
	res, _ := r.get(path)
	return fmt.Sprintf("%d %s", res.StatusCode, res.Header.Get("X-Strangler-Served-By"))
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came true that %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

const recommendationsOf1 = "/api/products/1/recommendations"

func TestDemoFromStartToStopAndAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	out := r.must(r.demoArgs("--detach")...)
	for _, want := range []string{"ready in ", "http://" + r.addr["proxy"], "ada@shop.example", "demo stop"} {
		if !strings.Contains(out, want) {
			t.Errorf("the welcome does not name %q:\n%s", want, out)
		}
	}
	for _, name := range []string{demo.Monolith, demo.Recommendations, demo.Reviews, demo.Catalog, demo.Proxy} {
		p := r.program(name)
		if p.State != "running" || !p.Ready || p.PID == 0 {
			t.Errorf("%+v", p)
		}
		if pid := strings.TrimSpace(readFile(t, filepath.Join(r.dir, name+".pid"))); pid != strconv.Itoa(p.PID) {
			t.Errorf("%s.pid says %s, want %d", name, pid, p.PID)
		}
		if _, err := os.Stat(p.Log); err != nil {
			t.Error(err)
		}
	}
	if got := r.servedBy(recommendationsOf1); got != "200 monolith" {
		t.Errorf("before the flip: %s", got)
	}
	config := filepath.Join(r.dir, "strangler.yaml")
	text := readFile(t, config)
	writeFile(t, config, strings.Replace(text, "stage: monolith", "stage: live", 1))
	eventually(t, "the service answers", func() bool { return r.servedBy(recommendationsOf1) == "200 recommendations" })
	killAndRevive(t, r)

	user := fmt.Sprintf(`{"email":"%d@example.com","password":"password-1","name":"New"}`, time.Now().UnixNano())
	res, err := http.Post("http://"+r.addr["proxy"]+"/api/register", "application/json", strings.NewReader(user))
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatal(err, res)
	}
	res.Body.Close()
	// Whatever else runs for the demo stops with it, what has only its id there does not.
	foreign := exec.Command("sleep", "60")
	if err := foreign.Start(); err != nil {
		t.Fatal(err)
	}
	defer foreign.Wait()
	defer foreign.Process.Kill()
	writeFile(t, filepath.Join(r.dir, "foreign.pid"), strconv.Itoa(foreign.Process.Pid))
	mine := exec.Command(filepath.Join(bin, "monolith"), "serve", "--addr", "127.0.0.1:0", "--db", filepath.Join(r.dir, "mine.db"), "--notifications", filepath.Join(r.dir, "mine.jsonl"))
	if err := mine.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- mine.Wait() }()
	writeFile(t, filepath.Join(r.dir, "mine.pid"), strconv.Itoa(mine.Process.Pid))
	out = r.must("demo", "stop", "--dir", r.dir)
	<-ended
	if !strings.Contains(out, "stopped mine, too") || !strings.Contains(out, "left foreign alone") || foreign.Process.Signal(syscall.Signal(0)) != nil {
		t.Errorf("what others started: %s", out)
	}
	if code, out, _ := r.run("demo", "status", "--dir", r.dir); code != 1 || !strings.Contains(out, "no demo is running") {
		t.Errorf("status after stop: exit %d: %s", code, out)
	}
	for name := range r.addr {
		if _, err := os.Stat(filepath.Join(r.dir, name+".pid")); err == nil {
			t.Errorf("%s.pid is still there", name)
		}
	}

	r.must(r.demoArgs("--detach")...)
	if got := r.servedBy(recommendationsOf1); got != "200 recommendations" {
		t.Errorf("the edited routes were not kept: %s", got)
	}
	res, err = http.Post("http://"+r.addr["proxy"]+"/api/register", "application/json", strings.NewReader(user))
	if err != nil || res.StatusCode != http.StatusConflict {
		t.Errorf("the data was not kept: %v %v", err, res)
	}
	res.Body.Close()
}

// killAndRevive kills the service: the monolith steps in, and "demo start" brings
// the service back.
func killAndRevive(t *testing.T, r *rig) {
	t.Helper()
	if err := syscall.Kill(r.program(demo.Recommendations).PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the status shows the stopped service", func() bool { return r.program(demo.Recommendations).State == "stopped" })
	res, _ := r.get(recommendationsOf1)
	if res.StatusCode != http.StatusOK || res.Header.Get("X-Strangler-Served-By") != "monolith" || res.Header.Get("X-Strangler-Fallback") == "" {
		t.Errorf("without the service: %s %v", res.Status, res.Header)
	}
	said := readFile(t, filepath.Join(r.dir, "logs", "demo.log"))
	if !strings.Contains(said, "recommendations stopped (signal: killed)") || !strings.Contains(said, "recommendations serve --addr") {
		t.Errorf("the demo does not say how to start the service again:\n%s", said)
	}
	r.must("demo", "start", "--dir", r.dir)
	eventually(t, "the service answers again", func() bool { return r.servedBy(recommendationsOf1) == "200 recommendations" })
}

func TestCtrlCStopsEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cmd := exec.Command(filepath.Join(bin, "strangler"), r.demoArgs()...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the demo is ready", func() bool { return r.status().Ready })
	pids := r.pids()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
	if !strings.Contains(out.String(), "stopped proxy, catalog, reviews, recommendations, monolith") {
		t.Errorf("it does not say what it stopped:\n%s", &out)
	}
	for name, pid := range pids {
		if alive(pid) {
			t.Errorf("%s (process %d) is still there", name, pid)
		}
	}
}

func TestProgramsEndWithAKilledDemo(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends processes with their parent")
	}
	r := newRig(t)
	r.must(r.demoArgs("--detach")...)
	st, pids := r.status(), r.pids()
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for name, pid := range pids {
		eventually(t, name+" has ended", func() bool { return !alive(pid) })
	}
	eventually(t, "the status knows that the demo has ended", func() bool { return !r.status().Running })
	r.must(r.demoArgs("--detach")...) // and nothing is in the way of the next one
}

func (r *rig) pids() map[string]int {
	pids := map[string]int{}
	for _, p := range r.status().Programs {
		pids[p.Name] = p.PID
	}
	return pids
}

// alive reports whether the process runs; one that waits to be collected does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return runtime.GOOS != "linux" && syscall.Kill(pid, 0) == nil
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	if !strings.HasPrefix(rest, "Z") {
		return true
	}
	// Its first thread has ended. What the process had open is closed by its last one.
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && len(threads) > 1
}

func TestSecondDemoIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.demoArgs("--detach")...)
	for _, more := range [][]string{nil, {"--detach"}} {
		code, _, stderr := r.run(r.demoArgs(more...)...)
		if code != 2 || !strings.Contains(stderr, "already running") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit %d: %s", more, code, stderr)
		}
	}
	if got := r.servedBy(recommendationsOf1); got != "200 monolith" {
		t.Errorf("the first demo suffered: %s", got)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"proxy", "admin", "monolith", "recommendations", "reviews", "catalog"} {
		r := newRig(t)
		l, err := net.Listen("tcp", r.addr[flag])
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		code, _, stderr := r.run(r.demoArgs()...)
		if code != 2 || !strings.Contains(stderr, r.addr[flag]) || !strings.Contains(stderr, "--"+flag) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("exit %d: %s", code, stderr)
		}
		if _, err := os.Stat(filepath.Join(r.dir, "monolith.db")); err == nil {
			t.Error("the monolith was started all the same")
		}
	}
}

func TestBadRoutesStopEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(r.dir, "strangler.yaml"), "version: 1\nmonolit: x\n")
	code, _, stderr := r.run(r.demoArgs()...)
	if code != 2 || !strings.Contains(stderr, "strangler.yaml") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	for name, addr := range r.addr {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Errorf("%s still runs: %v", name, err)
			continue
		}
		l.Close()
	}
}

func TestRoutesOfOtherAddressesAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.demoArgs("--detach")...)
	r.must("demo", "stop", "--dir", r.dir)
	for _, name := range []string{"recommendations", "reviews", "catalog"} {
		was := r.addr[name]
		r.addr[name] = freeAddress(t)
		code, _, stderr := r.run(r.demoArgs()...)
		if code != 2 || !strings.Contains(stderr, "sends "+name) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("exit %d: %s", code, stderr)
		}
		r.addr[name] = was
	}
}

// TestRoutesOfAnEarlierVersion starts the demo with a file that knows no catalog: the
// file stays as it is, everything runs, and what to add is said and works.
func TestRoutesOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.demoArgs("--detach")...)
	r.must("demo", "stop", "--dir", r.dir)
	config := filepath.Join(r.dir, "strangler.yaml")
	early := strings.Replace(readFile(t, config), "  catalog: http://"+r.addr["catalog"]+"\n", "", 1)
	early, _, _ = strings.Cut(early, "\n  # The catalog moves")
	writeFile(t, config, early)

	said := r.must(r.demoArgs("--detach")...)
	if got := readFile(t, config); got != early {
		t.Errorf("the user's file was changed:\n%s", got)
	}
	if p := r.program(demo.Catalog); !p.Ready {
		t.Errorf("%+v", p)
	}
	service := "  catalog: http://" + r.addr["catalog"] + "\n"
	_, rest, found := strings.Cut(said, `below "routes:"`+"\n")
	routes, _, ended := strings.Cut(rest, "\n\n")
	if !found || !ended || !strings.Contains(said, service) || !strings.Contains(said, "\n  guard: off\n") {
		t.Fatalf("it does not say what to add:\n%s", said)
	}
	now := "guard: off\n" + strings.Replace(early, "services:\n", "services:\n"+service, 1)
	writeFile(t, config, strings.Replace(now, "routes:\n", "routes:\n"+strings.ReplaceAll(routes, "stage: monolith", "stage: live")+"\n", 1))
	for _, path := range []string{"/api/products", "/api/categories"} {
		eventually(t, "the catalog service answers "+path, func() bool { return r.servedBy(path) == "200 catalog" })
	}
	r.must("demo", "stop", "--dir", r.dir)
	if said := r.must(r.demoArgs("--detach")...); strings.Contains(said, "earlier version") || strings.Contains(said, "guard") {
		t.Errorf("nothing is missing any more:\n%s", said)
	}
}

// TestRoutesWithoutReviews starts the demo with a file that knows no reviews service, and
// adds to it what is said.
func TestRoutesWithoutReviews(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.demoArgs("--detach")...)
	r.must("demo", "stop", "--dir", r.dir)
	config := filepath.Join(r.dir, "strangler.yaml")
	var early string
	for line := range strings.Lines(readFile(t, config)) {
		if !strings.Contains(line, "review") && !strings.Contains(line, "account:") {
			early += line
		}
	}
	early = strings.Replace(early, "    stage: monolith\n\n#", "\n#", 1) // of the last route
	writeFile(t, config, early)
	said := r.must(r.demoArgs("--detach")...)
	for _, section := range []string{"services", "routes", "groups"} {
		_, rest, found := strings.Cut(said, `below "`+section+`:"`+"\n")
		var lines string
		for line := range strings.Lines(rest) {
			if !strings.HasPrefix(line, "  ") {
				break
			}
			lines += line
		}
		if !found || lines == "" {
			t.Fatalf("it does not say what to add below %s:\n%s", section, said)
		}
		early = strings.Replace(early, section+":\n", section+":\n"+lines, 1)
	}
	writeFile(t, config, early)
	r.must("config", "check", "--config", config)
	r.must("demo", "stop", "--dir", r.dir)
	if said := r.must(r.demoArgs("--detach")...); strings.Contains(said, "earlier version") {
		t.Errorf("nothing is missing any more:\n%s", said)
	}
}

// TestDemoOfAnEarlierVersion looks at a demo that another version started, without
// the catalog: nobody waits for what it never had.
func TestDemoOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.demoArgs("--detach")...)
	path := filepath.Join(r.dir, "demo.json")
	var state map[string]any
	if err := json.Unmarshal([]byte(readFile(t, path)), &state); err != nil {
		t.Fatal(err)
	}
	delete(state, "catalog")
	delete(state, "reviews")
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, string(text))
	if programs := r.status().Programs; len(programs) != 3 {
		t.Errorf("%+v", programs)
	}
	r.must("demo", "start", "--dir", r.dir)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, args := range [][]string{
		{"demo", "nonsense"},
		{"demo", "--nonsense"},
		{"demo", "--dir", r.dir, "--scale", "7"},
		{"demo", "--dir", r.dir, "--proxy", "127.0.0.1"},
		{"demo", "--dir", r.dir, "--proxy", "127.0.0.1:0"},
		{"demo", "--dir", r.dir, "--proxy", "127.0.0.1:7000", "--admin", "127.0.0.1:7000"},
		{"demo", "start", "--dir", r.dir},
		{"demo", "status", "--dir", r.dir, "-o", "xml"},
	} {
		code, _, stderr := r.run(args...)
		if code != 2 || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
	}
	if out := r.must("demo", "stop", "--dir", r.dir); !strings.Contains(out, "no demo is running") {
		t.Errorf("stop without a demo: %s", out)
	}
	code, out, _ := r.run("demo", "status", "--dir", r.dir, "-o", "json")
	var st demo.Status
	if err := json.Unmarshal([]byte(out), &st); err != nil || code != 1 || st.Running {
		t.Errorf("status as JSON: exit %d, %v: %s", code, err, out)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
