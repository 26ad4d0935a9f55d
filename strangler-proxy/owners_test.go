package strangler_test

import (
	"strings"
	"testing"
)

// sides are the servers that answer a read and a write of the route r.
func (r *rig) sides() string {
	return r.do("GET", "/s/x", nil).saw.Server + " " + r.do("POST", "/s/x", strings.NewReader("x")).saw.Server
}

// held is what the status says of the route r.
func (r *rig) held() string {
	for _, route := range r.status().Routes {
		if route.Name == "r" {
			return route.Held
		}
	}
	return "there is no route r"
}

// TestOwnerAnswersWhateverTheFileSays edits the file by hand before and after a switch, and
// panics: a write may never meet tables that are closed.
func TestOwnerAnswersWhateverTheFileSays(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, split(m.URL, s.URL, "shadow"))
	edit := func(top, stage string) {
		t.Helper()
		version := r.status().Config.Version
		r.write(top + split(m.URL, s.URL, stage))
		if err := r.proxy.Reload(); err != nil || r.status().Config.Version == version {
			t.Fatalf("%s%s: version %d, %v", top, stage, version, err)
		}
	}
	check := func(what, sides, held string) {
		t.Helper()
		if got := r.sides(); got != sides {
			t.Errorf("%s: %s answer reads and writes, want %s", what, got, sides)
		}
		if got := r.held(); (held == "") != (got == "") || !strings.Contains(got, held) {
			t.Errorf("%s: held %q, want %q", what, got, held)
		}
	}
	check("at shadow", "monolith monolith", "")
	edit("", "live")
	check("live by hand", "monolith monolith", "strangler split cutover reviews")
	edit("", "done")
	check("done by hand", "monolith monolith", "strangler split cutover reviews")
	edit("", "canary 100%")
	check("a canary of reads", "s monolith", "")

	if got := r.flip("target", 1); got.StatusCode != 200 {
		t.Fatal(got.text)
	}
	check("flipped", "s s", "")
	edit("", "monolith")
	check("back by hand", "monolith s", "the service answers what may change data")
	edit("panic: all is lost\n", "live")
	check("in a panic", "s s", "in spite of the panic")
	if got := r.do("POST", "/wait/x", nil).saw.Server + r.do("POST", "/free/x", nil).saw.Server; got != "monolithmonolith" {
		t.Errorf("in a panic other routes are answered by %s", got)
	}
	edit("", "live")
	if got := r.flip("source", 2); got.StatusCode != 200 {
		t.Fatal(got.text)
	}
	check("rolled back", "monolith monolith", "")
	edit("", "live")
	check("live by hand again", "monolith monolith", "strangler split cutover reviews")
}

// TestNewProxyBelievesItsFile starts without records on a file whose route is live: a proxy
// that joins others after the switch must not send their writes to closed tables. What it is
// told then counts more.
func TestNewProxyBelievesItsFile(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, split(m.URL, s.URL, "live"))
	if got := r.sides(); got != "s s" || r.held() != "" {
		t.Errorf("%s answer, held %q", got, r.held())
	}
	if got := r.flip("source", 2); got.StatusCode != 200 {
		t.Fatal(got.text)
	}
	if got := r.sides(); got != "monolith monolith" {
		t.Errorf("told that the source owns, %s answer", got)
	}
}
