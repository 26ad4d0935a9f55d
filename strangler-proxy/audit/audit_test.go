package audit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
)

func entry(n int) audit.Entry {
	return audit.Entry{
		Time: time.Unix(int64(n), 0), Actor: "cli:x", Route: fmt.Sprintf("r%d", n%3), From: "monolith", To: "live",
		Reason: fmt.Sprintf("<%d> \n \u2028 \"quoted\"", n), OldHash: fmt.Sprintf("h%d", n), NewHash: fmt.Sprintf("h%d", n+1),
	}
}

// written returns the lines of a log with n entries.
func written(t interface{ Fatal(...any) }, path string, n int) []string {
	l := audit.Of(path)
	for i := range n {
		if err := l.Append(background(), entry(i)); err != nil {
			t.Fatal(err)
		}
	}
	return lines(t, path)
}

func lines(t interface{ Fatal(...any) }, path string) []string {
	text, err := os.ReadFile(audit.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func put(t interface{ Fatal(...any) }, path, text string) {
	if err := os.WriteFile(audit.Path(path), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func verify(t interface{ Fatal(...any) }, path, head string) audit.Report {
	r, err := audit.Verify(audit.Path(path), head)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestEntriesComeBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if r := verify(t, path, ""); r.Lines != 0 || len(r.Problems) != 0 {
		t.Errorf("a log that is not there: %+v", r)
	}
	text := written(t, path, 5)
	if len(text) != 5 {
		t.Fatalf("%d lines", len(text))
	}
	h, err := audit.Read(audit.Path(path))
	if err != nil || len(h) != 5 {
		t.Fatalf("%v %v", h, err)
	}
	for i, e := range h {
		want := entry(i)
		if !e.Time.Equal(want.Time) || e.Reason != want.Reason || e.Route != want.Route || e.NewHash != want.NewHash {
			t.Errorf("entry %d came back as %+v", i, e)
		}
	}
	if r := verify(t, path, h[3].Hash); r.Seen || r.Lines != 5 || len(r.Problems) != 0 || r.NewHash != "h5" {
		t.Errorf("%+v", r) // a head is the hash of a whole line, not the hash inside
	}
	first := verify(t, path, "")
	written(t, path, 1)
	if r := verify(t, path, first.Head); !r.Seen {
		t.Error("the head of before is not found again")
	}
	put(t, path, strings.Join(text[:4], "\n")+"\n")
	if r := verify(t, path, first.Head); r.Seen || len(r.Problems) != 0 || r.NewHash != "h4" {
		t.Errorf("without its last line: %+v", r)
	}
}

// Whatever is done to lines in the middle is found, and a line at or next to it named.
func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	original := written(t, filepath.Join(dir, "original"), 8)
	rapid.Check(t, func(t *rapid.T) {
		text := slices.Clone(original)
		at := rapid.IntRange(0, len(text)-1).Draw(t, "line")
		switch what := rapid.SampledFrom([]string{"delete", "swap", "byte", "repeat", "reason"}).Draw(t, "what"); what {
		case "delete":
			at = min(at, len(text)-2) // the last one is missed only by comparing with the file
			text = slices.Delete(text, at, at+1)
		case "swap":
			other := (at + rapid.IntRange(1, len(text)-1).Draw(t, "distance")) % len(text)
			text[at], text[other] = text[other], text[at]
			at = min(at, other)
		case "byte":
			b := []byte(text[at])
			i := rapid.IntRange(0, len(b)-1).Draw(t, "byte")
			b[i] ^= byte(rapid.IntRange(1, 127).Draw(t, "bits"))
			text[at] = string(b)
		case "repeat":
			text = slices.Insert(text, at, text[at])
			at++
		case "reason":
			text[at] = strings.Replace(text[at], `"actor":"cli:x"`, `"actor":"cli:y"`, 1)
		}
		path := filepath.Join(dir, "changed")
		put(t, path, strings.Join(text, "\n")+"\n")
		r := verify(t, path, "")
		if len(r.Problems) == 0 || r.Problems[0].Line < at+1 || r.Problems[0].Line > at+2 {
			t.Fatalf("line %d was tampered with, found %+v in\n%s", at+1, r.Problems, strings.Join(text, "\n"))
		}
	})
}

// Lines of versions without a chain stay valid at the beginning, and the chain covers them.
func TestOldLinesAreAPrefix(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.yaml")
	old := `{"time":"2026-01-02T03:04:05Z","actor":"cli:x","route":"r","from":"monolith","to":"live","reason":"","old_config_hash":"a","new_config_hash":"b"}` + "\n"
	put(t, path, old+strings.Replace(old, `"b"`, `"c"`, 1))
	if r := verify(t, path, ""); r.Unlinked != 2 || len(r.Problems) != 0 || r.NewHash != "c" {
		t.Errorf("%+v", r)
	}
	text := written(t, path, 2)
	if r := verify(t, path, ""); r.Lines != 4 || r.Unlinked != 2 || len(r.Problems) != 0 {
		t.Errorf("%+v", r)
	}
	put(t, path, strings.Join(text[1:], "\n")+"\n")
	if r := verify(t, path, ""); len(r.Problems) != 1 || r.Problems[0].Line != 2 {
		t.Errorf("an old line is gone: %+v", r)
	}
	put(t, path, strings.Join(text, "\n")+"\n"+old)
	if r := verify(t, path, ""); len(r.Problems) != 1 || r.Problems[0].Line != 5 {
		t.Errorf("a line without a chain after one with: %+v", r)
	}
}

// However much of the last line is on disk, the next entry begins on a line of its own.
func TestTornLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.yaml")
	text := strings.Join(written(t, path, 3), "\n") + "\n"
	second := strings.LastIndex(text[:len(text)-1], "\n") + 1
	for _, cut := range []int{second + 1, second + 40, len(text) - 2} {
		put(t, path, text[:cut])
		r := verify(t, path, "")
		if len(r.Problems) != 1 || r.Problems[0].Line != 3 || !strings.Contains(r.Problems[0].Text, "incomplete") {
			t.Errorf("cut at %d: %+v", cut, r)
		}
		put(t, path, text[:cut]+"\n{\"time") // and the next writer was killed too
		written(t, path, 1)
		r = verify(t, path, "")
		if len(r.Problems) != 0 || !slices.Equal(r.Torn, []int{3, 4}) || r.Lines != 5 {
			t.Errorf("cut at %d, and an entry after it: %+v", cut, r)
		}
		if h, err := audit.Read(audit.Path(path)); err != nil || len(h) != 3 {
			t.Errorf("cut at %d: %d entries, %v", cut, len(h), err)
		}
	}
	put(t, path, text[:len(text)-1]) // only the line's end is missing
	written(t, path, 1)
	if r := verify(t, path, ""); len(r.Problems) != 0 || len(r.Torn) != 0 || r.Lines != 4 {
		t.Errorf("without the last line end: %+v", r)
	}
	put(t, path, text+"no entry\n")
	if r := verify(t, path, ""); len(r.Problems) != 1 || r.Problems[0].Line != 4 {
		t.Errorf("a line that is no entry: %+v", r)
	}
}

func TestChangeKeepsOthersOut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.yaml")
	inside, total := 0, 0
	var all sync.WaitGroup
	for i := range 40 {
		l := audit.Of(path) // as if in a process of its own
		all.Go(func() {
			err := l.Change(t.Context(), func(newest string) ([]audit.Entry, error) {
				if inside++; inside != 1 {
					t.Error("two at a time")
				}
				if want := fmt.Sprintf("h%d", total); total > 0 && newest != want {
					t.Errorf("the newest hash is %q, want %q", newest, want)
				}
				e := entry(total)
				total++
				inside--
				return []audit.Entry{e, e}[:1+i%2], nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if r := verify(t, path, ""); r.Lines != 60 || len(r.Problems) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestWhatCannotBeNoted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "c.yaml")
	failed := errors.New("failed")
	if err := audit.Of(path).Change(t.Context(), func(string) ([]audit.Entry, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("the error became %v", err)
	}
	if _, err := os.Stat(audit.Path(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a change that failed left a log behind: %v", err)
	}
	called := false
	err := audit.Of(filepath.Join(dir, "nowhere", "c.yaml")).Change(t.Context(), func(string) ([]audit.Entry, error) {
		called = true
		return nil, nil
	})
	if !errors.Is(err, audit.ErrUnavailable) || called {
		t.Errorf("%v, called: %v", err, called)
	}
	huge := entry(0)
	huge.Reason = strings.Repeat("x", 1<<17)
	var missing *audit.NotNotedError
	if err := audit.Of(path).Append(t.Context(), huge); !errors.As(err, &missing) {
		t.Errorf("a huge entry: %v", err)
	}
	if audit.CheckReason(strings.Repeat("x", audit.LimitReason+1)) == nil || audit.CheckReason("\xff") == nil || audit.CheckReason("fine\n") != nil {
		t.Error("reasons are not checked")
	}
}
