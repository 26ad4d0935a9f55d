package strangler_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

func (r *rig) history() audit.History {
	r.t.Helper()
	h, err := audit.Read(audit.Path(r.path))
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

// Two proxies follow one file: what is changed in it by hand is noted once, what was
// changed while no proxy ran too, and what a command notes is not noted again.
func TestChangesByHandAreNoted(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "monolith"))
	second := startAt(t, r.path)
	both := func(version uint64) { r.awaitVersion(version); second.awaitVersion(version) }
	r.write(oneRoute(m.URL, s.URL, "live"))
	both(1)
	await(t, "the entry", func() bool { return len(r.history()) == 1 })
	if err := setStage(r.path, "r", "monolith"); err != nil { // an editor, too: it notes nothing
		t.Fatal(err)
	}
	both(2)
	await(t, "the second entry", func() bool { return len(r.history()) == 2 })
	if _, err := steer.New(r.path, steer.Options{}).Rollback(t.Context(), "r", steer.Order{Actor: "cli:x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := steer.New(r.path, steer.Options{}).Panic(t.Context(), steer.Order{Actor: "cli:x", Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	both(3)
	r.stop()
	second.stop()
	r.write(oneRoute(m.URL, s.URL, "live"))
	third := startAt(t, r.path)
	await(t, "what happened in between", func() bool { return len(r.history()) == 6 })
	third.stop()
	var said []string
	for _, e := range r.history() {
		said = append(said, strings.TrimSpace(e.Actor+" "+e.Action+" "+e.From+">"+e.To))
	}
	want := "file  monolith>live|file  live>monolith|cli:x rollback monolith>monolith|cli:x panic >|file  monolith>live|file panic-end >"
	if got := strings.Join(said, "|"); got != want {
		t.Errorf("the log says\n%s\nwant\n%s", got, want)
	}
}

// A proxy that may not write the log says so and goes on.
func TestChangesWithoutALog(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "monolith"))
	if err := os.Mkdir(audit.Path(r.path), 0o700); err != nil {
		t.Fatal(err)
	}
	r.write(oneRoute(m.URL, s.URL, "live"))
	r.awaitVersion(1)
	await(t, "a warning", func() bool { return strings.Contains(r.log.String(), "is not in the audit log") })
	if got := r.do("GET", "/s/x", nil); got.saw.Server != "s" {
		t.Errorf("answered by %q", got.saw.Server)
	}
}

// Panic beats stage, cookie and header, for requests that begin now; done stays.
func TestPanicSendsEverythingToTheMonolith(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	routes := strings.Replace(oneRoute(m.URL, s.URL, "live"), "routes:\n", "force: { cidrs: [127.0.0.0/8] }\nroutes:\n  d: { match: /done, to: s, stage: done }\n  c: { match: /c, to: s, stage: canary 100%, cohorts: [ { header: \"X-Beta: yes\" } ] }\n", 1)
	r := start(t, routes)
	ask := func(path string) string {
		return r.do("GET", path, nil, "X-Beta", "yes", "X-Strangler-Force", "service", "Cookie", "strangler_force=service").saw.Server
	}
	for _, path := range []string{"/s/x", "/c", "/done"} {
		if got := ask(path); got != "s" {
			t.Fatalf("%s was answered by %q", path, got)
		}
	}
	f := steer.New(r.path, steer.Options{})
	if _, err := f.Panic(t.Context(), steer.Order{Actor: "cli:x", Reason: "prices are wrong"}); err != nil {
		t.Fatal(err)
	}
	r.awaitVersion(1)
	for path, want := range map[string]string{"/s/x": "monolith", "/c": "monolith", "/done": "s"} {
		if got := ask(path); got != want {
			t.Errorf("in panic %s was answered by %q", path, got)
		}
	}
	if got := r.status(); got.Panic != "prices are wrong" || len(got.Next) != 1 || !strings.Contains(got.Next[0], "panic --end") {
		t.Errorf("status: %q %v", got.Panic, got.Next)
	}
	if got := r.admin("GET", "/metrics").text; !strings.Contains(got, "\nstrangler_panic 1\n") {
		t.Error("the metric does not say so")
	}
	if _, err := f.Calm(t.Context(), steer.Order{Actor: "cli:x"}); err != nil {
		t.Fatal(err)
	}
	r.awaitVersion(2)
	if got := ask("/s/x"); got != "s" || r.status().Panic != "" {
		t.Errorf("afterwards: %q", got)
	}
}
