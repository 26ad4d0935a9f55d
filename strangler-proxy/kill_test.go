package strangler_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stranglerfig/toolkit/internal/program"
	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// TestMain lets this program stand in for a service or a proxy that can be killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("STRANGLER_TEST_PROXY"); path != "" {
		os.Exit(program.Run("proxy", os.Stderr, func(ctx context.Context) error { return proxyProcess(ctx, path) }))
	}
	if address := os.Getenv("STRANGLER_TEST_SERVICE"); address != "" {
		l, err := net.Listen("tcp", address)
		if err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		e := &echo{name: "s"}
		e.Server = httptest.NewUnstartedServer(http.HandlerFunc(e.serve))
		e.Listener.Close()
		e.Listener = l
		e.Start()
		_, _ = os.Stdout.WriteString(e.URL + "\n")
		select {}
	}
	os.Exit(m.Run())
}

// serviceProcess starts a service in a process of its own and returns its url.
func serviceProcess(t *testing.T) (url string, kill func()) {
	t.Helper()
	return serviceProcessAt(t, "127.0.0.1:0")
}

// serviceProcessAt is serviceProcess at an address.
func serviceProcessAt(t *testing.T, address string) (url string, kill func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "STRANGLER_TEST_SERVICE="+address)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line), kill
}

// The service is killed under load: no read fails, and of the writes only those that
// were sent while the process still had its connections.
func TestServiceIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	url, kill := serviceProcess(t)
	r := start(t, oneRoute(m.URL, url, "live"), func(o *strangler.Options) { o.AccessLog = false })
	const writers = 3
	var byService, byMonolith, failedWrites atomic.Int64
	var gone atomic.Bool // the process has ended
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 2 * writers {
		method := []string{"GET", "POST"}[i%2]
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var body io.Reader
				if method == "POST" {
					body = strings.NewReader("x")
				}
				late := gone.Load()
				got, err := r.try(method, "/s/x", body)
				switch {
				case err == nil && got.saw.Server == "s":
					byService.Add(1)
				case err == nil && got.saw.Server == "monolith":
					byMonolith.Add(1)
				case method == "POST" && !late && err == nil && got.StatusCode == 502:
					failedWrites.Add(1)
				default:
					t.Errorf("%s: %v %v", method, got.Response, err)
				}
			}
		})
	}
	await(t, "answers of the service", func() bool { return byService.Load() > 200 })
	kill()
	gone.Store(true)
	await(t, "answers of the monolith", func() bool { return byMonolith.Load() > 200 })
	close(stop)
	clients.Wait()
	t.Logf("%d writes were on their way", failedWrites.Load())
}
