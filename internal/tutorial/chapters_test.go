package tutorial_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/tutorial"
)

const root = "../.."

var fix = flag.Bool("fix", false, "rewrite the output blocks and embedded files that are out of date")

// template is the order of the headings in every chapter.
var template = []string{
	"Goal", "Before you start", "Do it", "Checkpoint", "What just happened",
	"Break it", "Undo", "In your own system", "Next",
}

func load(t *testing.T) []tutorial.Chapter {
	t.Helper()
	chapters, err := tutorial.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(chapters) == 0 {
		t.Fatal("no chapters")
	}
	return chapters
}

func TestChaptersFollowTheTemplate(t *testing.T) {
	t.Parallel()
	for _, c := range load(t) {
		if !slices.Equal(c.Sections, template) {
			t.Errorf("%s: headings %q, want %q", c.Path, c.Sections, template)
		}
		if len(c.Blocks) == 0 {
			t.Errorf("%s: nothing to run", c.Path)
		}
	}
}

func TestEmbeddedFilesAreCurrent(t *testing.T) {
	if !*fix { // TestChapters rewrites the same files, from what it reads after this
		t.Parallel()
	}
	for _, c := range load(t) {
		source, err := tutorial.CheckEmbeds(c, root)
		if err != nil && *fix {
			if err := os.WriteFile(c.Path, source, 0o644); err != nil {
				t.Error(err)
			}
			t.Logf("rewritten: %v", err)
		} else if err != nil {
			t.Error(err)
		}
	}
}

// TestChapters types every chapter from its own start, its checkpoint being red before,
// and then checks that its undo led back to the chapter before; and it types the whole text from start to end in
// one folder, as a reader does.
func TestChapters(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the whole shop several times")
	}
	t.Parallel()
	chapters := load(t)
	bin := filepath.Join(t.TempDir(), "bin")
	if err := tutorial.Build(t.Context(), root, bin); err != nil {
		t.Fatal(err)
	}
	ports, err := tutorial.FreePorts(t.Context(), len(chapters)+1, "8080", "8081", "9000", "9002", "9003", "9004")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range chapters {
		t.Run(c.Number, func(t *testing.T) {
			t.Parallel()
			sh := open(t, bin, ports[i])
			if out, code, err := sh.Run(checkpoint(c.Number), time.Minute); err != nil || code == 0 || !strings.Contains(out, "✗") {
				t.Errorf("the checkpoint is green before the chapter has begun: %v\n%s", err, out)
			}
			results, err := tutorial.Run(c, sh, ports[i])
			if *fix {
				rewrite(t, c, results)
			}
			if err != nil {
				t.Fatal(err)
			}
			if i > 0 {
				check(t, sh, chapters[i-1].Number)
			}
		})
	}
	t.Run("from start to end", func(t *testing.T) {
		t.Parallel()
		if *fix {
			t.Skip("the chapters are being rewritten")
		}
		last := len(chapters)
		sh := open(t, bin, ports[last])
		for _, c := range chapters {
			if _, err := tutorial.Run(c, sh, ports[last]); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// open starts a shell in a fresh copy of the repository.
func open(t *testing.T, bin string, ports tutorial.Ports) *tutorial.Shell {
	t.Helper()
	dir := t.TempDir()
	work, home := filepath.Join(dir, "toolkit"), filepath.Join(dir, "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := tutorial.Workspace(root, bin, work); err != nil {
		t.Fatal(err)
	}
	env, err := tutorial.Environment(t.Context(), home, ports)
	if err != nil {
		t.Fatal(err)
	}
	sh, err := tutorial.NewShell(work, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sh.Close(); err != nil {
			t.Error(err)
		}
	})
	return sh
}

// check runs the checkpoint of the chapter with that number.
func check(t *testing.T, sh *tutorial.Shell, number string) {
	t.Helper()
	out, code, err := sh.Run(checkpoint(number), time.Minute)
	if err != nil || code != 0 {
		t.Errorf("after the undo, the checkpoint of chapter %s fails: exit code %d, %v\n%s", number, code, err, out)
	}
}

func checkpoint(number string) string {
	return fmt.Sprintf("make --no-print-directory ch%s-check", number)
}

func rewrite(t *testing.T, c tutorial.Chapter, results []tutorial.Result) {
	t.Helper()
	if err := os.WriteFile(c.Path, tutorial.Fix(c, results), 0o644); err != nil {
		t.Fatal(err)
	}
}
