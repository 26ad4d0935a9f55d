package tutorial_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/tutorial"
)

func newShell(t *testing.T) *tutorial.Shell {
	t.Helper()
	sh, err := tutorial.NewShell(t.TempDir(), []string{"PATH=" + os.Getenv("PATH")})
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

func run(t *testing.T, sh *tutorial.Shell, command string) (string, int) {
	t.Helper()
	out, code, err := sh.Run(command, time.Minute)
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return out, code
}

func TestShellKeepsItsState(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	run(t, sh, "name=shop\nmkdir sub && cd sub\ngreet() { echo \"hello $1\"; }")
	out, code := run(t, sh, `greet "$name"; basename "$PWD"; printf 'no newline'`)
	if want := "hello shop\nsub\nno newline"; out != want || code != 0 {
		t.Errorf("got %q, code %d; want %q, code 0", out, code, want)
	}
}

func TestShellReportsTheFirstFailure(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	for command, want := range map[string]int{
		"true":                         0,
		"(exit 7)\necho later":         7,
		"echo early\n(exit 3)":         3,
		"false || true":                0,
		"if false; then :; fi":         0,
		"grep x /dev/null\n(exit 9)":   1,
		"no-such-program-anywhere":     127,
		"echo 'unterminated":           2,
		"cat; echo read nothing":       0,
		"out=$(exit 4)":                4,
		"echo to-stderr >&2; (exit 5)": 5,
	} {
		if out, code := run(t, sh, command); code != want {
			t.Errorf("%q: code %d, want %d; printed %q", command, code, want, out)
		}
	}
}

func TestShellSurvivesLargeOutput(t *testing.T) {
	t.Parallel()
	out, _ := run(t, newShell(t), "seq 200000")
	if lines := strings.Count(out, "\n"); lines != 200000 {
		t.Errorf("got %d lines", lines)
	}
}

func TestHangingBlockIsEnded(t *testing.T) {
	t.Parallel()
	sh := newShell(t)
	_, _, err := sh.Run("echo begun; sleep 1000", 300*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "still running after 300ms") {
		t.Fatalf("got %v", err)
	}
	if _, _, err := sh.Run("true", time.Second); err == nil {
		t.Error("the shell goes on after a block that hangs")
	}
}

func TestShellThatExitsIsReported(t *testing.T) {
	t.Parallel()
	out, _, err := newShell(t).Run("echo bye; exit 0", time.Minute)
	if err == nil || !strings.Contains(out, "bye") {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestNoProcessOutlivesTheShell(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]string{
		"background":      "sleep 1000 & echo $!",
		"other group":     "set -m; sleep 1000 & echo $!; set +m",
		"other session":   "setsid sleep 1000 & echo $!",
		"orphan":          "(setsid bash -c 'echo $$; exec sleep 1000' &)",
		"ignores signals": "bash -c 'trap \"\" TERM INT HUP; echo $$; while :; do sleep 1; done' & sleep 0.2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat("/proc/self/environ"); err != nil {
				t.Skip("only Linux shows which shell a process belongs to")
			}
			sh, err := tutorial.NewShell(t.TempDir(), []string{"PATH=" + os.Getenv("PATH")})
			if err != nil {
				t.Fatal(err)
			}
			out, _, err := sh.Run(command, 10*time.Second)
			for err == nil && strings.TrimSpace(out) == "" { // an orphan speaks when it is ready
				out, _, err = sh.Run("sleep 0.05", 10*time.Second)
			}
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.Fields(out)[0])
			if err != nil {
				t.Fatal(err)
			}
			if !alive(pid) {
				t.Fatalf("process %d did not start", pid)
			}
			if err := sh.Close(); err != nil {
				t.Fatal(err)
			}
			if alive(pid) {
				t.Errorf("process %d is still there", pid)
			}
		})
	}
}

// alive reports whether the process pid runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}
