package strangler_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

func TestReloadFollowsEveryWayOfWriting(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	at := func(stage string) string { return header + oneRoute(m.URL, s.URL, stage) }
	write := func(t *testing.T, path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(t *testing.T, path, text string){
		"in place": write,
		"rename": func(t *testing.T, path, text string) {
			write(t, path+".new", text)
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		},
		"delete and create": func(t *testing.T, path, text string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			write(t, path, text)
		},
		"slow writer": func(t *testing.T, path, text string) {
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for i := range len(text) {
				if _, err := f.WriteString(text[i : i+1]); err != nil {
					t.Fatal(err)
				}
			}
		},
		"swapped link": func(t *testing.T, path, text string) {
			target := filepath.Join(t.TempDir(), "next.yaml")
			write(t, target, text)
			swapLink(t, target, path)
		},
		"swapped folder": func(t *testing.T, path, text string) { // as Kubernetes does
			t.Helper()
			next := t.TempDir()
			write(t, filepath.Join(next, "strangler.yaml"), text)
			data := filepath.Join(filepath.Dir(path), "..data")
			swapLink(t, next, data)
			if now, err := os.Lstat(path); err == nil && now.Mode().IsRegular() {
				swapLink(t, filepath.Join("..data", "strangler.yaml"), path)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, oneRoute(m.URL, s.URL, "monolith"))
			for i, stage := range []string{"live", "monolith", "live"} {
				served(t, r.do("POST", "/s/x", nil), 200, map[string]string{"live": "monolith", "monolith": "s"}[stage], "")
				change(t, r.path, at(stage))
				r.awaitVersion(uint64(i + 1))
				served(t, r.do("POST", "/s/x", nil), 200, map[string]string{"live": "s", "monolith": "monolith"}[stage], "")
			}
		})
	}
}

// swapLink makes link lead to target, in one step.
func swapLink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link+".link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".link", link); err != nil {
		t.Fatal(err)
	}
}

func TestBadFileKeepsTheOldConfiguration(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	good := oneRoute(m.URL, s.URL, "live")
	r := start(t, good)
	metric := func(want string) {
		t.Helper()
		await(t, want, func() bool { return strings.Contains(r.admin("GET", "/metrics").text, "\n"+want+"\n") })
	}
	metric("strangler_config_last_reload_successful 1")
	for name, bad := range map[string]struct{ text, want string }{
		"unknown key":     {strings.Replace(good, "stage:", "stgae:", 1), `strangler.yaml:8:29: unknown key "stgae" in route "r" (did you mean "stage"?)`},
		"unknown service": {strings.Replace(good, "to: s,", "to: other,", 1), `route "r" goes to "other", which is not among the services`},
		"too much":        {strings.Replace(good, "stage: live", "stage: canary 101%", 1), `strangler.yaml:8:36: route "r": `},
		"truncated":       {good[:len(good)-10], "strangler.yaml:8:"},
		"empty":           {"", `file has no "monolith"`},
		"not yaml":        {"\x00\x01", "control character"},
		"huge":            {strings.Repeat("# x\n", 1<<20), "larger than 1 MiB"},
	} {
		r.write(bad.text)
		await(t, name, func() bool {
			return r.status().Config.State == "rejected" && strings.Contains(strings.Join(r.status().Config.Errors, "\n"), bad.want)
		})
		served(t, r.do("GET", "/s/x", nil), 200, "s", "")
		if st := r.status().Config; st.Version != 1 || st.Hash == st.FileHash {
			t.Errorf("%s: %+v", name, st)
		}
		metric("strangler_config_last_reload_successful 0")
		if answer := r.admin("POST", "/-/reload"); answer.StatusCode != 422 || !strings.Contains(answer.text, `"rejected"`) {
			t.Errorf("%s: reload answered %v %s", name, answer.Status, answer.text)
		}
	}
	if err := os.Remove(r.path); err != nil {
		t.Fatal(err)
	}
	await(t, "the missing file", func() bool { return strings.Contains(strings.Join(r.status().Config.Errors, ""), "no such file") })
	served(t, r.do("GET", "/s/x", nil), 200, "s", "")
	r.write(good)
	await(t, "the good file", func() bool { return r.status().Config.State == "active" })
	metric("strangler_config_last_reload_successful 1")
	if st := r.status().Config; st.Version != 1 || len(st.Errors) != 0 {
		t.Errorf("afterwards: %+v", st)
	}
	if next := r.status().Next; len(next) != 0 {
		t.Errorf("next steps: %v", next)
	}
}

func TestBadFileAtStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	for _, text := range []string{"", "version: 1\n", "version: 1\nmonolith: http://127.0.0.1:1\nroutes: [a]\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := strangler.New(t.Context(), strangler.Options{ConfigPath: path}); err == nil {
			p.Close()
			t.Errorf("%q was accepted", text)
		}
	}
	if _, err := strangler.New(t.Context(), strangler.Options{}); err == nil {
		t.Error("no configuration was accepted")
	}
}

// Two routes that change in one write change together: no request that begins after
// one saw the new configuration sees the old one.
func TestChangesAreAtomic(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	two := func(stage string) string {
		return fmt.Sprintf("monolith: %s\nservices: {s: \"%s\"}\nroutes:\n  a: { match: /a, to: s, stage: %s }\n  b: { match: /b, to: s, stage: %s }\n", m.URL, s.URL, stage, stage)
	}
	r := start(t, two("monolith"))
	stop := make(chan struct{})
	var torn, pairs, begun atomic.Int64 // begun counts the changes whose writing has begun
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				before := begun.Load()
				a, errA := r.try("GET", "/a", nil)
				b, errB := r.try("GET", "/b", nil)
				again, errC := r.try("GET", "/a", nil)
				if errA != nil || errB != nil || errC != nil {
					torn.Add(1)
					continue
				}
				if begun.Load() != before {
					continue // more than one change may lie between the requests
				}
				pairs.Add(1)
				// Both requests around b agree, so the one change did not lie between them.
				if a.saw.Server == again.saw.Server && b.saw.Server != a.saw.Server {
					torn.Add(1)
				}
			}
		})
	}
	for i := range 10 {
		begun.Add(1)
		r.write(two([]string{"live", "monolith"}[i%2]))
		r.awaitVersion(uint64(i + 1))
	}
	await(t, "some pairs", func() bool { return pairs.Load() > 0 })
	close(stop)
	clients.Wait()
	if torn.Load() != 0 || pairs.Load() == 0 {
		t.Errorf("%d of %d pairs were torn or failed", torn.Load(), pairs.Load())
	}
}

func TestStateSurvivesReload(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "live"))
	for range 5 {
		r.do("GET", "/s/x", nil)
	}
	await(t, "5 requests", func() bool { return r.status().Routes[0].Service == 5 })
	r.write(oneRoute(m.URL, s.URL, "live") + "  other: { match: /other, stage: monolith }\n")
	r.awaitVersion(1)
	if st := r.status(); st.Routes[0].Service != 5 || len(st.Routes) != 2 {
		t.Errorf("%+v", st.Routes)
	}
}

func TestAddressesNeedARestart(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "monolith: "+m.URL+"\n")
	text := strings.Replace(header, "127.0.0.1:0", "127.0.0.1:1", 1) + "monolith: " + m.URL + "\n"
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.awaitVersion(1)
	if needs := r.status().Config.NeedsStart; len(needs) != 1 || needs[0] != "listen" {
		t.Errorf("needs restart: %v", needs)
	}
	r.do("GET", "/", nil)
}

// A route is flipped 50 times under load and no request fails.
func TestFlipsUnderLoadFailNoRequest(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "monolith"), func(o *strangler.Options) { o.AccessLog = false })
	flips, least := 50, int64(5_000)
	if os.Getenv("SOAK") != "" {
		flips, least = 100, 50_000
	}
	result := flipUnderLoad(t, r, flips, least)
	if len(result.failures) > 0 || result.sent < least || result.flips != flips {
		t.Errorf("%d sent, %d flips, %d failed: %v", result.sent, result.flips, len(result.failures), result.failures[:min(3, len(result.failures))])
	}
	if total := m.hits.Load() + s.hits.Load(); total != result.sent || m.hits.Load() == 0 || s.hits.Load() == 0 {
		t.Errorf("%d requests, %d at the monolith, %d at the service", result.sent, m.hits.Load(), s.hits.Load())
	}
}

type flipResult struct {
	sent     int64
	flips    int
	failures []string
}

// flipUnderLoad sends at least atLeast requests, a quarter of them POSTs, while the
// route r is flipped by the editor that the command line uses.
func flipUnderLoad(t testing.TB, r *rig, flips int, atLeast int64) flipResult {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var result flipResult
	var mu sync.Mutex
	var sent atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				method := http.MethodGet
				var body io.Reader
				if i%4 == 3 {
					method, body = http.MethodPost, strings.NewReader("a body")
				}
				got, err := r.try(method, "/s/x", body)
				sent.Add(1)
				if err != nil || got.StatusCode != 200 || got.Header.Get("X-Strangler-Fallback") != "" {
					mu.Lock()
					result.failures = append(result.failures, fmt.Sprintf("%s: %v %v", method, got.Response, err))
					mu.Unlock()
				}
			}
		})
	}
	for result.flips = range flips {
		version := r.status().Config.Version
		due := atLeast * int64(result.flips+1) / int64(flips+1)
		await(t, "requests between flips", func() bool { return sent.Load() >= due })
		if err := setStage(r.path, "r", []string{"live", "monolith"}[result.flips%2]); err != nil {
			t.Fatal(err)
		}
		r.awaitVersion(version)
	}
	result.flips++
	await(t, "the last requests", func() bool { return sent.Load() >= atLeast })
	cancel()
	clients.Wait()
	result.sent = sent.Load()
	return result
}
