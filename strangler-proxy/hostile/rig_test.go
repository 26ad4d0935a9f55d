package hostile_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/cli"
)

// asProxy in the environment makes this binary be the program strangler-proxy.
const asProxy = "STRANGLER_HOSTILE_PROXY"

func TestMain(m *testing.M) {
	if address := os.Getenv(asUpstream); address != "" {
		serveUpstream(address)
	}
	if os.Getenv(asProxy) == "" {
		os.Exit(m.Run())
	}
	os.Exit(program.Run("strangler-proxy", os.Stderr, func(ctx context.Context) error {
		return cli.Execute(ctx, cli.New("strangler-proxy", cli.Options{LookupEnv: os.LookupEnv}), os.Args[1:])
	}))
}

// soak is whether the tests are to be as long as what they promise.
func soak() bool { return os.Getenv("SOAK") != "" }

// size is a number in the long form and in the short one.
func size(long, short int) int {
	if soak() {
		return long
	}
	return short
}

// A proxy is the program in a process of its own.
type proxy struct {
	t       testing.TB
	pid     int
	path    string // of its configuration
	address string
	admin   string
	log     *tail
}

const top = "version: 1\nlisten: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0 }\n"

// start runs the program with a configuration until the test ends.
func start(t testing.TB, config string) *proxy {
	t.Helper()
	p := &proxy{t: t, path: filepath.Join(t.TempDir(), "strangler.yaml"), log: &tail{}}
	p.write(config)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "proxy", "--config", p.path, "--log-format", "json", "--access-log=false", "--drain", "1s")
	cmd.Env = append(os.Environ(), asProxy+"=1")
	errors, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = cmd.Process.Pid
	lines := bufio.NewReader(errors)
	said := p.awaitListening(lines)
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(p.log, lines) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		ended := make(chan error, 1)
		go func() { <-read; ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the proxy ended: %v\n%s", err, p.log)
			}
		case <-time.After(20 * time.Second):
			_ = cmd.Process.Kill()
			t.Error("the proxy did not end")
		}
	})
	if !said {
		t.Fatal("the proxy does not listen")
	}
	return p
}

// awaitListening reads the line that says where the program listens.
func (p *proxy) awaitListening(lines *bufio.Reader) bool {
	for {
		line, err := lines.ReadBytes('\n')
		_, _ = p.log.Write(line)
		var said struct{ Msg, Listen, Admin string }
		if json.Unmarshal(line, &said) == nil && said.Msg == "listening" {
			p.address, p.admin = said.Listen, said.Admin
			return true
		}
		if err != nil {
			p.t.Errorf("the proxy says %s and then %v", p.log, err)
			return false
		}
	}
}

// write puts a configuration in place, behind the top unless it has one of its own.
func (p *proxy) write(config string) {
	p.t.Helper()
	next := p.path + ".next"
	if !strings.HasPrefix(config, "version: ") {
		config = top + config
	}
	if err := os.WriteFile(next, []byte(config), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(next, p.path); err != nil {
		p.t.Fatal(err)
	}
}

// metric is a figure that the program shows.
func (p *proxy) metric(name string) float64 {
	p.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	res, err := client.Get("http://" + p.admin + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	sum, found := 0.0, false
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), " ")
		if series, _, _ = strings.Cut(series, "{"); !ok || series != name {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			sum, found = sum+v, true
		}
	}
	if !found {
		p.t.Fatalf("there is no metric %s", name)
	}
	return sum
}

// A usage is what the process holds.
type usage struct {
	memory     int64 // bytes
	files      int
	goroutines int
}

func (u usage) String() string {
	return fmt.Sprintf("%d KiB, %d files, %d goroutines", u.memory>>10, u.files, u.goroutines)
}

func (p *proxy) usage() usage {
	p.t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	if err != nil {
		p.t.Fatal(err)
	}
	return usage{memory: p.resident(), files: len(files), goroutines: int(p.metric("go_goroutines"))}
}

// resident is the memory of the process that is in use, in bytes. With the race detector,
// which keeps several times as much, it is nothing, so that no test judges it.
func (p *proxy) resident() int64 {
	p.t.Helper()
	if raceEnabled {
		return 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		p.t.Error(err)
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	p.t.Error("/proc does not tell the memory of the process")
	return 0
}

// dial connects to the program; the connection ends with the test at the latest.
func (p *proxy) dial() *net.TCPConn {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// get is a request of a normal client over a connection of its own.
func (p *proxy) get(path string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.Get("http://" + p.address + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s %w", path, res.Status, err)
	}
	return nil
}

// await waits until condition holds.
func await(t testing.TB, what string, limit time.Duration, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// A tail keeps the end of what was written.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > 64<<10 {
		l.buf.Reset()
	}
	return l.buf.Write(p)
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
