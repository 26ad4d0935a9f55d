package cli_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/compare/cli"
)

// A replay against a system with other order numbers asks for the orders that it made itself.
func TestReplayFollowsNewIdentifiers(t *testing.T) {
	t.Parallel()
	before, again, dir := newSystem(t, 100), newSystem(t, 7000), t.TempDir()
	run(t, before, before, dir)
	recorded := filepath.Join(dir, "before-1")
	for _, name := range []string{"one", "two"} {
		got := compareCommand(t.Context(), t, cli.Options{}, "replay", recorded, "--target", again.URL, "--out", filepath.Join(dir, name))
		if got.code != 0 || !strings.Contains(got.out, "6 requests sent") || !strings.Contains(got.out, "hashes in place of secrets") {
			t.Fatalf("exit code %d: %s%s", got.code, got.out, got.err)
		}
	}
	got := compareCommand(t.Context(), t, cli.Options{}, "diff", recorded, filepath.Join(dir, "one"), filepath.Join(dir, "two"), "--out", t.TempDir())
	if got.code != 0 || !strings.Contains(got.out, "6 exchanges compared") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.err)
	}
}
