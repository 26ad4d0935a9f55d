package strangler_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var keyLine = regexp.MustCompile(`^_strangler_id=([0-9a-f]{32}); Path=/; HttpOnly; SameSite=Lax$`)

// newKey is the key that an answer asks its client to keep, or "".
func newKey(t *testing.T, res reply) string {
	t.Helper()
	key := ""
	for _, line := range res.Header["Set-Cookie"] {
		if strings.HasPrefix(line, "_strangler_id") {
			parts := keyLine.FindStringSubmatch(line)
			if parts == nil || key != "" {
				t.Fatalf("cookies: %q", res.Header["Set-Cookie"])
			}
			key = parts[1]
		}
	}
	return key
}

func TestCanaryKeepsItsClients(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "m"), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "canary 50%"))
	sides := map[string]int{}
	for range 24 {
		first := r.do("GET", "/s/x", nil)
		key := newKey(t, first)
		if key == "" {
			t.Fatalf("no key: %q", first.Header["Set-Cookie"])
		}
		if n := len(first.Header["Set-Cookie"]); n != 3 {
			t.Errorf("%d cookies instead of the application's two and ours", n)
		}
		for range 3 {
			again := r.do("GET", "/s/y", nil, "Cookie", "a=1; _strangler_id="+key)
			if newKey(t, again) != "" || again.saw.Server != first.saw.Server {
				t.Errorf("client %s: %s, then %s and the key %q", key, first.saw.Server, again.saw.Server, newKey(t, again))
			}
		}
		if write := r.do("POST", "/s/y", nil, "Cookie", "_strangler_id="+key); write.saw.Server != "m" {
			t.Errorf("a write went to %s", write.saw.Server)
		}
		sides[first.saw.Server]++
	}
	if sides["m"] == 0 || sides["s"] == 0 { // by chance once in 8 million
		t.Errorf("sides: %v", sides)
	}
	if write := r.do("POST", "/s/y", nil); newKey(t, write) != "" {
		t.Error("a key was drawn for a request that it does not decide")
	}
}

func TestDoneNeverAsksTheMonolith(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "m")
	for stage, want := range map[string]int{"live": 200, "done": 502} {
		r := start(t, oneRoute(m.URL, deadURL(t), stage))
		before := m.hits.Load()
		res := r.do("GET", "/s/x", nil)
		if res.StatusCode != want || (m.hits.Load() > before) != (want == 200) {
			t.Errorf("%s: %d, the monolith was asked %d times", stage, res.StatusCode, m.hits.Load()-before)
		}
	}
}

// X-Strangler-Force and its cookie end at the proxy, whoever sends them.
func TestForceEndsAtTheProxy(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "m")
	r := start(t, oneRoute(m.URL, m.URL, "shadow"))
	for sent, want := range map[string]string{
		"strangler_force=service:secret": "", "a=1; strangler_force=service:secret; b=2": "a=1; b=2", "a=1;b=2": "a=1;b=2",
	} {
		res := r.do("GET", "/s/x", nil, "X-Strangler-Force", "service:secret", "Cookie", sent)
		if got := strings.Join(res.saw.Header["Cookie"], "|"); got != want {
			t.Errorf("%q reaches the application as %q", sent, got)
		}
		if strings.Contains(fmt.Sprint(res.saw.Header), "secret") || res.StatusCode != http.StatusOK {
			t.Errorf("the application saw %v", res.saw.Header)
		}
	}
}
