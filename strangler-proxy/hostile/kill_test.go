package hostile_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// asUpstream in the environment makes this binary be a service at that address, which
// keeps a ledger in the file of ledgerFile.
const (
	asUpstream = "STRANGLER_HOSTILE_UPSTREAM"
	ledgerFile = "STRANGLER_HOSTILE_LEDGER"
)

// serveUpstream serves until the process is killed.
func serveUpstream(address string) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		var book *os.File
		if book, err = os.OpenFile(os.Getenv(ledgerFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			fmt.Println(l.Addr())
			err = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // it is killed
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprintln(book, r.Header.Get("X-Id"))
				fmt.Fprint(w, "service")
			}))
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// newUpstream starts serveUpstream and returns where it listens.
func newUpstream(t *testing.T, address, book string) (at string, kill func()) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), asUpstream+"="+address, ledgerFile+"="+book)
	cmd.Stderr = t.Output()
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
		t.Fatalf("the service says %q: %v", line, err)
	}
	return strings.TrimSpace(line), kill
}

// A toll is what clients were answered.
type toll struct {
	service, monolith, failed atomic.Int64
	ids                       sync.Map // of writes: who answered, or ""
}

// A service is killed and started again under 500 requests a second. No read fails; of
// the writes only those that were on their way to it, and none of them arrives twice.
func TestServiceIsKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	book := filepath.Join(t.TempDir(), "ledger")
	all := &ledger{}
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		all.note(r.Header.Get("X-Id"))
		fmt.Fprint(w, "monolith")
	}))
	t.Cleanup(m.Close)
	address, kill := newUpstream(t, "127.0.0.1:0", book)
	p := start(t, "monolith: "+m.URL+"\nservices: { s: { url: \"http://"+address+"\", breaker: { open_at: 5 of 20, wait: 200ms, probes: 3, ramp: 100ms } } }\n"+
		"routes: { r: { match: /s/**, to: s, stage: live, data: none, shadow: off } }\n")
	const concurrency = 16
	seen := &toll{}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range concurrency {
		clients.Go(func() { seen.clientOf(t, p, i, 500/concurrency, stop) })
	}
	rounds, recovered := size(20, 3), time.Hour
	for range rounds {
		enough := seen.service.Load() + 100
		await(t, "answers of the service", 20*time.Second, func() bool { return seen.service.Load() > enough })
		kill()
		enough = seen.monolith.Load() + 50
		await(t, "answers of the monolith", 20*time.Second, func() bool { return seen.monolith.Load() > enough })
		_, kill = newUpstream(t, address, book)
		back, before := time.Now(), seen.service.Load()
		await(t, "the service to be asked again", 20*time.Second, func() bool { return seen.service.Load() > before })
		recovered = min(recovered, time.Since(back)) // the least: a busy machine delays some of them
	}
	enough := seen.service.Load() + 100
	await(t, "answers of the service", 20*time.Second, func() bool { return seen.service.Load() > enough })
	close(stop)
	clients.Wait()
	t.Logf("%d answers of the service, %d of the monolith; %d writes failed in %d kills; asked again after %v", seen.service.Load(), seen.monolith.Load(), seen.failed.Load(), rounds, recovered)
	if recovered > 1200*time.Millisecond {
		t.Errorf("the service is asked again after %v at least; the breaker waits 200ms", recovered)
	}
	if failed := seen.failed.Load(); failed > int64(rounds*concurrency) {
		t.Errorf("%d writes failed, of %d at a time, in %d kills", failed, concurrency, rounds)
	}
	if opened := p.metric("strangler_breaker_changes_total"); opened < float64(rounds) {
		t.Errorf("the breaker changed %v times in %d kills", opened, rounds)
	}
	written, err := os.ReadFile(book)
	if err != nil {
		t.Fatal(err)
	}
	for id := range strings.Lines(string(written)) {
		all.note(strings.TrimSpace(id))
	}
	seen.ids.Range(func(id, by any) bool {
		if times := all.entries[id.(string)]; times > 1 || by != "" && times != 1 {
			t.Errorf("write %s arrived %d times; %q answered", id, times, by)
		}
		return true
	})
}

// clientOf is a client that sends so many requests a second, if they are answered in time.
func (s *toll) clientOf(t *testing.T, p *proxy, name, perSecond int, stop <-chan struct{}) {
	client := p.client(false)
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		method, body, id := http.MethodGet, io.Reader(http.NoBody), ""
		if n%2 == 0 {
			method, body, id = http.MethodPost, strings.NewReader(strings.Repeat("b", n%3*3000)), fmt.Sprintf("%d-%d", name, n)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.address+"/s/x", body)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("X-Id", id)
		res, err := client.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", method, id, err)
			return
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		by := string(text)
		switch {
		case err == nil && res.StatusCode == http.StatusOK && by == "service":
			s.service.Add(1)
		case err == nil && res.StatusCode == http.StatusOK && by == "monolith":
			s.monolith.Add(1)
		case method == http.MethodPost && (err != nil || res.StatusCode == http.StatusBadGateway):
			s.failed.Add(1)
			by = ""
		default:
			t.Errorf("%s %s: %s %q %v", method, id, res.Status, text, err)
		}
		if id != "" {
			s.ids.Store(id, by)
		}
	}
}
