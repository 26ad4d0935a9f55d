package strangler_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/handover"
)

// proxyProcess is a proxy in a process of its own. It says where it listens once it
// serves; told to hang, it takes over and then does nothing.
func proxyProcess(ctx context.Context, path string) error {
	socket := os.Getenv("STRANGLER_TEST_HANDOVER")
	if os.Getenv("STRANGLER_TEST_HANG") != "" {
		taken, err := handover.Take(ctx, socket)
		if err != nil || taken == nil {
			return fmt.Errorf("take: %v %w", taken, err)
		}
		fmt.Println("hanging")
		select {}
	}
	p, err := strangler.New(ctx, strangler.Options{
		ConfigPath: path, Handover: socket, DrainLimit: 2 * time.Second,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	fmt.Println(p.Addr())
	return p.Run(ctx)
}

// A process is one that proxyProcess runs in.
type process struct {
	*exec.Cmd
	says  string // its first line
	ended chan error
}

func startProcess(t *testing.T, config, socket string, env ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(exe), ended: make(chan error, 1)}
	p.Env = append(append(os.Environ(), "STRANGLER_TEST_PROXY="+config, "STRANGLER_TEST_HANDOVER="+socket), env...)
	p.Stderr = t.Output()
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	p.says = strings.TrimSpace(line)
	go func() { p.ended <- p.Wait() }()
	return p
}

// wait returns the exit code of a process that ends by itself.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case err := <-p.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return p.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		t.Fatal("the process does not end")
	}
	return 0
}

// load sends requests, over kept and over new connections, until stop; bad counts those
// that were not answered as they should.
type load struct {
	sent, bad atomic.Int64
	stop      func()
}

func startLoad(t *testing.T, url string) *load {
	l := &load{}
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for i := range 6 {
		tr := &http.Transport{DisableKeepAlives: i%3 == 0}
		c := &http.Client{Transport: tr, Timeout: 20 * time.Second}
		clients.Go(func() {
			defer tr.CloseIdleConnections()
			for ctx.Err() == nil {
				var res *http.Response
				var err error
				if i%2 == 0 {
					res, err = c.Get(url)
				} else {
					res, err = c.Post(url, "text/plain", strings.NewReader("x"))
				}
				l.sent.Add(1)
				if err != nil {
					l.bad.Add(1)
					t.Logf("failed: %v", err)
					continue
				}
				if _, err = io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
					l.bad.Add(1)
					t.Logf("failed: %v %s", err, res.Status)
				}
				res.Body.Close()
				time.Sleep(time.Millisecond)
			}
		})
	}
	l.stop = sync.OnceFunc(func() { cancel(); clients.Wait() })
	t.Cleanup(l.stop)
	return l
}

// One process after the other takes over under load. Successors are killed in the
// middle, or come in pairs. No request fails and none is lost or doubled.
func TestHandoverUnderLoad(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip(handover.ErrUnsupported)
	}
	t.Parallel()
	rounds, least := 3, int64(500)
	if os.Getenv("SOAK") != "" {
		rounds, least = 40, 30_000
	}
	m := newEcho(t, "monolith")
	folder := t.TempDir()
	path, socket := filepath.Join(folder, "strangler.yaml"), filepath.Join(folder, "x.sock")
	if err := os.WriteFile(path, []byte(header+"monolith: "+m.URL+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := startProcess(t, path, socket)
	address := now.says
	l := startLoad(t, "http://"+address+"/")
	for round := 0; round < rounds || l.sent.Load() < least; round++ {
		after := l.sent.Load() + 50
		await(t, "some load", func() bool { return l.sent.Load() > after })
		if round%3 == 1 {
			hanging := startProcess(t, path, socket, "STRANGLER_TEST_HANG=1")
			if hanging.says != "hanging" {
				t.Fatalf("it says %q", hanging.says)
			}
			if next := startProcess(t, path, socket); next.says != "" || next.wait(t) != program.Refused {
				t.Errorf("a second successor says %q", next.says)
			}
			_ = hanging.Process.Kill()
			hanging.wait(t)
		}
		next := startProcess(t, path, socket)
		if next.says != address {
			t.Fatalf("the successor listens at %q, not %s", next.says, address)
		}
		if code := now.wait(t); code != 0 {
			t.Fatalf("the predecessor ends with %d", code)
		}
		now = next
	}
	l.stop()
	if l.bad.Load() > 0 || m.hits.Load() != l.sent.Load() {
		t.Errorf("%d of %d requests failed; the monolith saw %d", l.bad.Load(), l.sent.Load(), m.hits.Load())
	}
	_ = now.Process.Signal(os.Interrupt)
	if code := now.wait(t); code != 0 {
		t.Errorf("the last one ends with %d", code)
	}
	if _, err := os.Lstat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file stays: %v", err)
	}
}

// A successor whose configuration is bad never disturbs the running process, and a
// changed address is taken.
func TestHandoverToAnotherConfiguration(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip(handover.ErrUnsupported)
	}
	t.Parallel()
	m := newEcho(t, "monolith")
	folder := t.TempDir()
	path, socket := filepath.Join(folder, "strangler.yaml"), filepath.Join(folder, "x.sock")
	first := start(t, "monolith: "+m.URL+"\n", func(o *strangler.Options) { o.Handover = socket; o.DrainLimit = time.Second })
	for _, bad := range []string{"listen: nonsense\n", "tls: { cert: none.pem, key: none.key }\n", "listen: " + strings.TrimPrefix(m.URL, "http://") + "\nadmin: { listen: 127.0.0.1:0 }\n"} {
		if err := os.WriteFile(path, []byte("version: 1\nmonolith: "+m.URL+"\n"+bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := strangler.New(t.Context(), strangler.Options{ConfigPath: path, Handover: socket}); program.Code(err) != program.Usage {
			t.Errorf("%s: %v", bad, err)
		}
	}
	first.do("GET", "/", nil)
	elsewhere := strings.TrimPrefix(freeURL(t), "http://")
	if err := os.WriteFile(path, []byte("version: 1\nlisten: "+elsewhere+"\nadmin: { listen: 127.0.0.1:0 }\nmonolith: "+m.URL+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := startAt(t, path, func(o *strangler.Options) { o.Handover = socket })
	if got := second.proxy.Addr().String(); got != elsewhere {
		t.Errorf("the second listens at %s, not %s", got, elsewhere)
	}
	if second.proxy.AdminAddr().String() != first.proxy.AdminAddr().String() {
		t.Error("the admin address is another")
	}
	await(t, "the first to leave", func() bool { return first.proxy.Ready() != nil })
	second.do("GET", "/", nil)
}
