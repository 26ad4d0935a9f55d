package strangler_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// TestNextSteps: status names the commands for every route that has one, what is wrong
// first, and each group once.
func TestNextSteps(t *testing.T) {
	t.Parallel()
	both := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the same") }))
	t.Cleanup(both.Close)
	r := start(t, fmt.Sprintf(`monolith: %s
services: { s: "%s", dead: "%s" }
guard: { compared: 3, mismatch: 100%% }
groups:
  g: { routes: [g1, g2], stage: monolith }
routes:
  a: { match: GET /a, to: s, stage: monolith }
  g1: { match: GET /g1, to: s }
  g2: { match: GET /g2, to: s }
  shown: { match: GET /shown, to: s, stage: shadow }
  unseen: { match: GET /unseen, to: s, stage: shadow }
  broken: { match: GET /broken, to: dead, stage: live }
`, both.URL, both.URL, deadURL(t)))
	want := func(commands ...string) {
		t.Helper()
		for i := range commands {
			commands[i] = "strangler route set " + commands[i] + " --config " + r.path
		}
		await(t, fmt.Sprint(commands), func() bool { return slices.Equal(r.status().Next, commands) })
	}
	want("a shadow", "g shadow")
	for range 3 {
		r.do("GET", "/shown", nil)
	}
	want("shown 'canary 5%'", "a shadow", "g shadow")
	r.do("GET", "/broken", nil)
	want("broken monolith", "shown 'canary 5%'", "a shadow")
}
