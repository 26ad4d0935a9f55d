package strangler_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A request is decided by one configuration, whatever is written meanwhile, and on one
// connection the configurations only become newer. Routes that flip in one write flip in
// one configuration, so that no two requests of one version see different sides.
func TestEachRequestHasOneConfiguration(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	two := func(stage string) string {
		return fmt.Sprintf("monolith: %s\nservices: {s: \"%s\"}\nroutes:\n  a: { match: /a, to: s, stage: %s, shadow: off }\n  b: { match: /b, to: s, stage: %s, shadow: off }\n", m.URL, s.URL, stage, stage)
	}
	r := start(t, two("monolith"))
	var stop atomic.Bool
	var sent atomic.Int64
	var clients sync.WaitGroup
	for client := range 4 {
		tr := &http.Transport{MaxConnsPerHost: 1}
		own := &rig{t: t, proxy: r.proxy, client: &http.Client{Transport: tr}}
		t.Cleanup(tr.CloseIdleConnections)
		clients.Go(func() {
			for n := 0; !stop.Load(); n++ {
				if _, err := own.try("GET", []string{"/a", "/b"}[n%2], nil, "X-Request-Id", fmt.Sprintf("%d.%d", client, n)); err != nil {
					t.Error(err)
					return
				}
				sent.Add(1)
			}
		})
	}
	for change := range 20 {
		next := r.path + ".next"
		if err := os.WriteFile(next, []byte(header+two([]string{"live", "monolith"}[change%2])), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, r.path); err != nil {
			t.Fatal(err)
		}
		r.awaitVersion(uint64(change + 1))
		after := sent.Load() + 8
		await(t, "some requests", func() bool { return sent.Load() > after })
	}
	stop.Store(true)
	clients.Wait()
	await(t, "the log", func() bool { return strings.Count(r.log.String(), `"msg":"request"`) == int(sent.Load()) })
	checkVersions(t, r.log.String())
}

// checkVersions looks at the lines of a log, by the client that the request id names.
func checkVersions(t *testing.T, log string) {
	t.Helper()
	newest := map[string]int{}
	request := map[string]int{}
	for line := range strings.Lines(log) {
		var e struct {
			Msg           string
			ConfigVersion int    `json:"config_version"`
			ServedBy      string `json:"served_by"`
			RequestID     string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Msg != "request" {
			continue
		}
		client, number, _ := strings.Cut(e.RequestID, ".")
		if n, err := strconv.Atoi(number); err != nil || n != request[client] {
			t.Fatalf("request %s follows %d of its client", e.RequestID, request[client]-1)
		}
		request[client]++
		if e.ConfigVersion < newest[client] {
			t.Errorf("request %s: configuration %d after %d", e.RequestID, e.ConfigVersion, newest[client])
		}
		newest[client] = e.ConfigVersion
		if want := []string{"s", "monolith"}[e.ConfigVersion%2]; e.ServedBy != want {
			t.Errorf("request %s: configuration %d, served by %s, want %s", e.RequestID, e.ConfigVersion, e.ServedBy, want)
		}
	}
	last := 0
	for _, version := range newest {
		last = max(last, version)
	}
	if last != 21 || len(newest) != 4 {
		t.Errorf("%d clients saw configuration %d at last, want 4 and 21", len(newest), last)
	}
}
