package strangler_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// With the usual settings a change is effective within a second, also where the system
// gives no notice of it: a link far above the file is swapped here.
func TestChangesAreEffectiveInTime(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	current := filepath.Join(t.TempDir(), "current")
	swap := func(stage string) {
		next := t.TempDir()
		if err := os.WriteFile(filepath.Join(next, "strangler.yaml"), []byte(header+oneRoute(m.URL, s.URL, stage)), 0o600); err != nil {
			t.Fatal(err)
		}
		swapLink(t, next, current)
	}
	swap("monolith")
	r := startAt(t, filepath.Join(current, "strangler.yaml"), func(o *strangler.Options) { o.PollEvery = 0 })
	least := time.Hour
	for try := 0; try < 5 && least > time.Second; try++ { // a busy machine may delay some of them
		stage, by := "live", "s"
		if try%2 == 1 {
			stage, by = "monolith", "monolith"
		}
		swap(stage)
		begun := time.Now()
		await(t, "the stage "+stage, func() bool { return r.do("GET", "/s/x", nil).saw.Server == by })
		least = min(least, time.Since(begun))
	}
	if least > time.Second {
		t.Errorf("a change was effective after %v at least", least)
	}
}
