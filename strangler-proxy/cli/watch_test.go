//go:build linux

package cli_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/termtest"
	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// startProgram starts the test program as strangler; what it writes is in the buffer.
func startProgram(t *testing.T, onTerminal bool, args ...string) (*exec.Cmd, *lockedBuffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "strangler") // the test program acts by its name
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	cmd, out := exec.Command(link, args...), &lockedBuffer{}
	cmd.Env = append(os.Environ(), "TERM=xterm")
	cmd.Stdout, cmd.Stderr = out, out
	if onTerminal {
		near, far := termtest.Open(t)
		cmd.Stdout = far
		go func() {
			buffer := make([]byte, 4096)
			for {
				n, err := near.Read(buffer)
				_, _ = out.Write(buffer[:n])
				if err != nil {
					return
				}
			}
		}()
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, out
}

// The watch goes on while the proxy goes away and comes back, and Ctrl-C is no failure.
func TestWatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, output string
		terminal     bool
		running      string
		gone         string
	}{
		{"terminal", "table", true, "proxy     http://127.0.0.1:", "as it was"},
		{"lines", "table", false, "config=none version=1 per_second=", "no proxy answers at"},
		{"json", "json", false, `{"schema":1,`, "no proxy answers at"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(m.Close)
			admin, stop := runProxy(t, m.URL, "127.0.0.1:0")
			cmd, out := startProgram(t, test.terminal, "status", "--watch", "--interval", "100ms", "--admin", admin, "-o", test.output)
			saw := func(what, text string) {
				t.Helper()
				for end := time.Now().Add(10 * time.Second); !strings.Contains(out.String(), text); time.Sleep(5 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("%s: waited in vain for %q in\n%q", what, text, out.String())
					}
				}
			}
			saw("at first", test.running)
			stop()
			saw("gone", test.gone)
			out.Reset()
			_, stop = runProxy(t, m.URL, admin)
			saw("back", test.running)
			stop()
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("ended with %v\n%s", err, out.String())
			}
			if strings.Contains(out.String(), "\x1b[H") != test.terminal {
				t.Errorf("drawn in place: %q", out.String())
			}
		})
	}
}

// runProxy runs a proxy without a file.
func runProxy(t *testing.T, monolith, admin string) (address string, stop func()) {
	t.Helper()
	cfg, err := config.Single("127.0.0.1:0", admin, monolith)
	if err != nil {
		t.Fatal(err)
	}
	p, err := strangler.New(t.Context(), strangler.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	return p.AdminAddr().String(), func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
