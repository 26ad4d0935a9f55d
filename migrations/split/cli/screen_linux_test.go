package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/termtest"
)

// A tty shows what a terminal of 40 columns and 24 rows shows: it breaks long lines unless it
// was told not to, and nobody can go back to what has left it above.
type tty struct {
	t        *testing.T
	lines    []string // the last one is where the cursor is, unless it went up
	at       int
	breaks   bool
	mostBars int // at once
}

func (s *tty) write(out string) {
	for out != "" {
		end := strings.IndexAny(out, "\r\n\x1b")
		switch {
		case end != 0:
			if end < 0 {
				end = len(out)
			}
			s.put(out[:end])
		case out[0] == '\x1b':
			end = s.escape(out)
		default:
			if end = 1; out[0] == '\n' {
				s.down()
			}
		}
		out = out[end:]
		bars := 0
		for _, line := range s.lines {
			if strings.Contains(line, "[####") || strings.Contains(line, "[....") {
				bars++
			}
		}
		s.mostBars = max(s.mostBars, bars)
	}
}

func (s *tty) put(text string) {
	for _, r := range text {
		if s.breaks && len([]rune(s.lines[s.at])) == 40 {
			s.down()
		}
		if len([]rune(s.lines[s.at])) < 40 {
			s.lines[s.at] += string(r)
		}
	}
}

func (s *tty) down() {
	if s.at++; s.at == len(s.lines) {
		s.lines = append(s.lines, "")
	}
}

func (s *tty) escape(out string) (length int) {
	for code, do := range map[string]func(){
		"\x1b[1A":  func() { s.at = max(s.at-1, len(s.lines)-24, 0) },
		"\x1b[2K":  func() { s.lines[s.at] = "" },
		"\x1b[?7l": func() { s.breaks = false },
		"\x1b[?7h": func() { s.breaks = true },
	} {
		if strings.HasPrefix(out, code) {
			do()
			return len(code)
		}
	}
	s.t.Errorf("an escape sequence that is not known: %q", out[:min(len(out), 9)])
	return 1
}

// runNotes copies thirty tables in a process of its own, which talks to a file.
func runNotes(t *testing.T, talk *os.File) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t)
	link := filepath.Join(s.dir, "strangler") // the test program acts by its name
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	var script, names strings.Builder
	for n := range 30 {
		fmt.Fprintf(&script, "CREATE TABLE t%02d (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO t%02d VALUES (1, 'x'), (2, 'y');", n, n)
		fmt.Fprintf(&names, ", t%02d", n)
	}
	s.sql("source", script.String())
	text, err := os.ReadFile(s.plan)
	if err == nil {
		err = os.WriteFile(s.plan, bytes.Replace(text, []byte("[notes]"), []byte("[notes"+names.String()+"]"), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), link, "split", "run", s.plan, "--until", "verified")
	cmd.Env = append(os.Environ(), "TERM=xterm")
	cmd.Stderr = talk
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "everything is copied and equal\nnext: ") || strings.Contains(string(out), "\x1b") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestBarsOnATerminal: a small terminal shows ten bars at most, each one where it was
// before, and in the end only the summary is left; what is logged stays above.
func TestBarsOnATerminal(t *testing.T) {
	t.Parallel()
	near, far := termtest.Open(t)
	shown := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		all.ReadFrom(near) //nolint:errcheck // it ends with an error when the far side is closed
		shown <- all.String()
	}()
	runNotes(t, far)
	far.Close()
	out := <-shown
	screen := &tty{t: t, lines: []string{""}, breaks: true}
	screen.write(out)
	if screen.mostBars != 10 {
		t.Errorf("there were %d bars at once, want 10: %q", screen.mostBars, out)
	}
	text := strings.Join(screen.lines, "\n")
	if strings.Contains(text, "[") || strings.Count(text, " pending, lag") > 1 || !strings.Contains(out, " tables more; copying ") {
		t.Errorf("in the end it shows\n%s\nof %q", text, out)
	}
}

// TestLinesWithoutATerminal: who reads it from a file finds lines of keys and values.
func TestLinesWithoutATerminal(t *testing.T) {
	t.Parallel()
	talk, err := os.Create(filepath.Join(t.TempDir(), "talk"))
	if err != nil {
		t.Fatal(err)
	}
	defer talk.Close()
	runNotes(t, talk)
	text, err := os.ReadFile(talk.Name())
	if err != nil || bytes.ContainsAny(text, "\x1b\r") || !bytes.Contains(text, []byte("state=copying table=\"")) {
		t.Errorf("%v: %q", err, text)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "state=") && !strings.HasPrefix(line, "time=") {
			t.Errorf("a line for nobody: %q", line)
		}
	}
}
