package strangler_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
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
		if sides[first.saw.Server] > 1 {
			continue
		}
		for range 1000 { // of one client on each side
			if again := r.do("GET", "/s/z", nil, "Cookie", "_strangler_id="+key); again.saw.Server != first.saw.Server {
				t.Fatalf("client %s went from %s to %s", key, first.saw.Server, again.saw.Server)
			}
		}
	}
	if sides["m"] == 0 || sides["s"] == 0 { // by chance once in 8 million
		t.Errorf("sides: %v", sides)
	}
	if write := r.do("POST", "/s/y", nil); newKey(t, write) != "" {
		t.Error("a key was drawn for a request that it does not decide")
	}
}

// Over TLS the key is for TLS only, by whichever protocol it is asked for.
func TestKeyOverTLS(t *testing.T) {
	t.Parallel()
	m, p := newEcho(t, "m"), newPair(t)
	r := start(t, p.yaml()+oneRoute(m.URL, m.URL, "canary 50%"))
	for _, two := range []bool{false, true} {
		res, err := r.secure(t, p, two).Get(r.https("/s/x"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Join(replyOf(t, res).Header["Set-Cookie"], "\n")
		if !regexp.MustCompile(`(?m)^_strangler_id=[0-9a-f]{32}; Path=/; HttpOnly; SameSite=Lax; Secure$`).MatchString(lines) {
			t.Errorf("HTTP/2 %t: %q", two, lines)
		}
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

// AC14, AC15: the share is kept, each client stays where it is, and another proxy with
// the same file, or the same one after a restart, agrees about every client.
func TestReplicasAgreeAboutEveryClient(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "m"), newEcho(t, "s")
	file := func(share string) string {
		return strings.Replace(oneRoute(m.URL, s.URL, "canary "+share), "services:", "defaults: { sticky: [header:X-User-Id] }\nservices:", 1)
	}
	const clients = 1000
	sides := func(r *rig) []bool {
		on := make([]bool, clients)
		for i := range on {
			on[i] = r.do("GET", "/s/x", nil, "X-User-Id", fmt.Sprintf("user-%d", i)).saw.Server == "s"
		}
		return on
	}
	first := start(t, file("10%"))
	ten, count := sides(first), 0
	for _, on := range ten {
		if on {
			count++
		}
	}
	if want, band := clients*0.1, 4*math.Sqrt(clients*0.1*0.9); math.Abs(float64(count)-want) > band {
		t.Errorf("%d of %d clients are on the service at 10 %%", count, clients)
	}
	other := sides(start(t, file("10%")))
	first.stop()
	again := startAt(t, first.path)
	restarted := sides(again)
	version := again.status().Config.Version
	again.write(file("30%"))
	again.awaitVersion(version)
	thirty := sides(again)
	for i := range ten {
		if ten[i] != other[i] || ten[i] != restarted[i] || ten[i] && !thirty[i] {
			t.Fatalf("user-%d: %v, on another proxy %v, after a restart %v, at 30 %% %v", i, ten[i], other[i], restarted[i], thirty[i])
		}
	}
}

// AC17, over the wire: who is trusted by address or secret chooses, header before
// cookie before share.
func TestForceOverTheWire(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "m"), newEcho(t, "s")
	const secret = "sixteen-and-more"
	withForce := func(stage, force string) *rig {
		return start(t, "force: "+force+"\n"+oneRoute(m.URL, s.URL, stage), func(o *strangler.Options) {
			o.LookupEnv = func(name string) (string, bool) { return secret, name == "FORCE" }
		})
	}
	trusting, guarded := withForce("canary 0%", "{ cidrs: [127.0.0.0/8] }"), withForce("canary 100%", "{ secret: \"${FORCE}\" }")
	for i, c := range []struct {
		rig     *rig
		headers []string
		want    string
	}{
		{trusting, nil, "m"},
		{trusting, []string{"X-Strangler-Force", "service"}, "s"},
		{trusting, []string{"x-strangler-force", "service"}, "s"},
		{trusting, []string{"Cookie", "a=b; strangler_force=service"}, "s"},
		{trusting, []string{"X-Strangler-Force", "monolith", "Cookie", "strangler_force=service"}, "m"},
		{trusting, []string{"X-Strangler-Force", "service", "X-Forwarded-For", "192.0.2.1"}, "s"},
		{guarded, nil, "s"},
		{guarded, []string{"X-Strangler-Force", "monolith"}, "s"},
		{guarded, []string{"X-Strangler-Force", "monolith:wrong-and-long-enough"}, "s"},
		{guarded, []string{"X-Strangler-Force", "monolith:" + secret}, "m"},
		{guarded, []string{"Cookie", "strangler_force=monolith:" + secret}, "m"},
	} {
		res := c.rig.do("GET", "/s/x", nil, c.headers...)
		if res.saw.Server != c.want || strings.Contains(fmt.Sprint(res.saw.Header), "orce") {
			t.Errorf("%d: %q went to %s, which saw %v", i, c.headers, res.saw.Server, res.saw.Header)
		}
	}
	for _, line := range strings.Split(trusting.log.String()+guarded.log.String(), "\n") {
		if strings.Contains(line, secret) {
			t.Errorf("the log holds the secret: %s", line)
		}
	}
}

func TestCohortsOverTheWire(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "m"), newEcho(t, "s")
	for cohort, want := range map[string]string{
		"{ cidr: 127.0.0.0/8 }": "s", "{ cidr: 10.0.0.0/8 }": "m", "{ header: \"X-Beta: yes\" }": "s", "{ header: \"X-Beta: no\" }": "m",
		"{ header: \"X-Beta: yes\", cidr: 10.0.0.0/8 }": "m",
	} {
		r := start(t, strings.Replace(oneRoute(m.URL, s.URL, "canary 0%"), "to: s,", "to: s, cohorts: [ "+cohort+" ],", 1))
		if res := r.do("GET", "/s/x", nil, "X-Beta", "yes", "X-Forwarded-For", "10.1.1.1"); res.saw.Server != want || newKey(t, res) != "" {
			t.Errorf("%s: %s", cohort, res.saw.Server)
		}
	}
}

// AC7: the routes of a group flip with one word and in one step: whoever has seen one
// of them on the new side sees the others there.
func TestGroupFlipsAtOnce(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "m"), newEcho(t, "s")
	file := func(stage string) string {
		return fmt.Sprintf("monolith: %s\nservices: { s: %s }\ngroups: { g: { routes: [a, b], stage: %s } }\nroutes:\n  a: { match: /a, to: s }\n  b: { match: /b, to: s }\n", m.URL, s.URL, stage)
	}
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	if err := os.WriteFile(path, []byte(header+file("monolith")), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startAt(t, path)
	stage, side := []string{"live", "monolith"}, []string{"s", "m"}
	for i := range 6 {
		next := filepath.Join(filepath.Dir(path), "next.yaml")
		if err := os.WriteFile(next, []byte(header+file(stage[i%2])), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
		await(t, "the flip to "+stage[i%2], func() bool {
			if r.do("GET", "/a", nil).saw.Server != side[i%2] {
				return false
			}
			if got := r.do("GET", "/b", nil).saw.Server; got != side[i%2] {
				t.Fatalf("after a flip of a to %s, b is on %s", stage[i%2], got)
			}
			return true
		})
	}
}

// The log of a reload names a route of which anything changed, not only its stage.
func TestReloadNamesWhatDecides(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "m")
	r := start(t, oneRoute(m.URL, m.URL, "canary 0%"))
	for _, more := range []string{"data: none", "cohorts: [ { cidr: 10.0.0.0/8 } ]", "sticky: [cookie:a]"} {
		version := r.status().Config.Version
		before := strings.Count(r.log.String(), "r: changed")
		r.write(strings.Replace(oneRoute(m.URL, m.URL, "canary 0%"), "to: s,", "to: s, "+more+",", 1))
		r.awaitVersion(version)
		await(t, more+" in the log", func() bool { return strings.Count(r.log.String(), "r: changed") > before })
	}
}
