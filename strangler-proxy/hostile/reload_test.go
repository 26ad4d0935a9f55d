package hostile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sides are the services that configurations send the one route to, in turns.
const sides = 4

// turns says what is in force while configurations change ten times a second.
type turns struct {
	begun atomic.Int64 // good configurations that somebody began to write
	done  atomic.Int64 // and those that were in force
	sent  atomic.Int64
}

// allowed reports whether a side may have answered a request that begun before and
// ended now.
func (s *turns) allowed(side, before int64) bool {
	for turn := before; turn <= s.begun.Load(); turn++ {
		if turn%sides == side {
			return true
		}
	}
	return false
}

// ask sends requests until ctx ends.
func (s *turns) ask(ctx context.Context, t *testing.T, p *proxy) {
	client := p.client(false)
	for n := 0; ctx.Err() == nil; n++ {
		before := s.done.Load()
		method, body := http.MethodGet, ""
		if n%4 == 3 {
			method, body = http.MethodPost, "a body"
		}
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.address+"/s", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		res, err := client.Do(req)
		if err != nil {
			t.Errorf("%s: %v", method, err)
			return
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		var side int64
		if _, scan := fmt.Sscanf(string(text), "side %d", &side); err != nil || scan != nil || res.StatusCode != http.StatusOK || !s.allowed(side, before) {
			t.Errorf("%s at turn %d to %d: %s %q %v", method, before, s.begun.Load(), res.Status, text, err)
		}
		s.sent.Add(1)
	}
}

// Ten times a second another configuration comes, good ones and bad ones in turns, while
// clients ask: no request fails, each is answered by a side of the last good one, what the
// program says of itself is right each time, and nothing of all that stays with it.
func TestReloadsGoodAndBad(t *testing.T) {
	t.Parallel()
	var urls []string
	for side := range sides + 1 { // the last one is in bad configurations alone
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "side %d", side) }))
		t.Cleanup(up.Close)
		urls = append(urls, up.URL)
	}
	good := func(side int64) string {
		return fmt.Sprintf("monolith: %s\nservices: { s: %q }\nroutes: { r: { match: /s, to: s, stage: done, shadow: off } }\n", urls[sides], urls[side])
	}
	wrong := strings.ReplaceAll(good(0), urls[0], urls[sides])
	bad := []string{"", wrong[:len(wrong)-9], wrong + "unknown: 1\n", strings.Replace(wrong, "stage: done", "stage: canary 101%", 1), strings.Replace(wrong, "to: s", "to: other", 1), "\x00", wrong + strings.Repeat("# more\n", 1<<20/7)}
	p := start(t, good(0))
	var s turns
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() { s.ask(ctx, t, p) })
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	var before usage
	reloads, since := size(600, 24), p.metric("strangler_config_last_reload_success_timestamp_seconds")
	for n := range reloads {
		if <-ticker.C; n == reloads/3 {
			before = p.usage() // code and buffers are there
		}
		if n%2 == 0 {
			turn := s.begun.Add(1)
			p.reload(t, good(turn%sides), http.StatusOK)
			s.done.Store(turn)
		} else {
			p.reload(t, bad[n/2%len(bad)], http.StatusUnprocessableEntity)
		}
		ok, at := p.metric("strangler_config_last_reload_successful"), p.metric("strangler_config_last_reload_success_timestamp_seconds")
		if ok != float64((n+1)%2) || (at > since) != (n%2 == 0) {
			t.Errorf("reload %d: the metrics say %v, and %v after %v", n, ok, at, since)
		}
		since = at
	}
	after := p.usage()
	stop()
	clients.Wait()
	t.Logf("%d requests while %d configurations came; before %v, after %v", s.sent.Load(), reloads, before, after)
	if s.sent.Load() < int64(4*reloads) {
		t.Errorf("only %d requests", s.sent.Load())
	}
	if !near(after.goroutines, before.goroutines, 10) || !near(after.files, before.files, 20) || after.memory > before.memory+32<<20 {
		t.Errorf("before %v, after %v", before, after)
	}
}

// reload gives the program another configuration and tells it so.
func (p *proxy) reload(t *testing.T, config string, want int) {
	t.Helper()
	p.write(config)
	res, err := http.Post("http://"+p.admin+"/-/reload", "application/json", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var said struct{ State string }
	text, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if states := map[int]string{http.StatusOK: "active", http.StatusUnprocessableEntity: "rejected"}; err != nil || res.StatusCode != want || said.State != states[want] {
		t.Errorf("%.200q: %s %s %v", config, res.Status, text, err)
	}
}
