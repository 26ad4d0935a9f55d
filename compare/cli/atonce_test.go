package cli_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/compare/cli"
	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/internal/program"
)

// TestAtOnceLeavesGoTestAlone: a go test is told to run one test at a time, unless --at-once
// or flags of its own say otherwise; cached results are never taken.
func TestAtOnceLeavesGoTestAlone(t *testing.T) {
	s := newSystem(t, 1)
	command := filepath.Join(t.TempDir(), "go")
	if err := os.WriteFile(command, []byte("#!/bin/sh\ncurl -sf \"$BASE_URL/orders/9\"\necho \"$GOFLAGS: $*\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Parallel() // not before: a process that another test starts meanwhile would keep the program open for writing
	for name, c := range map[string]struct {
		flags, args []string
		want        string
	}{
		"one by one":       {nil, []string{"./..."}, "-count=1: test -p=1 -parallel=1 -cpu=1 -json ./..."},
		"at once":          {[]string{"--at-once"}, []string{"./..."}, "-count=1: test -json ./..."},
		"flags of its own": {nil, []string{"-parallel", "4", "-json", "./..."}, "-count=1: test -p=1 -cpu=1 -parallel 4 -json ./..."},
		"of the tests":     {nil, []string{".", "-args", "-cpu"}, "-count=1: test -p=1 -parallel=1 -cpu=1 -json . -args -cpu"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "recording")
			args := append([]string{"record", "--target", s.URL, "--out", dir, "--quiet"}, c.flags...)
			got := compareCommand(t.Context(), t, cli.Options{}, append(append(args, "--", command, "test"), c.args...)...)
			text, err := os.ReadFile(filepath.Join(dir, "output.log"))
			if err != nil || !strings.Contains(string(text), c.want+"\n") {
				t.Errorf("%v; the command was run with\n%s\nwant %s\n%s%s", err, text, c.want, got.out, got.err)
			}
		})
	}
}

// TestSentAtOnce: which of two requests that a test sends at once comes first is chance, so answers
// that changed places say nothing about AFTER; another status does, and so do places that changed in turn.
func TestSentAtOnce(t *testing.T) {
	t.Parallel()
	recorded := func(took time.Duration, status int, bodies ...string) string {
		var list []record.Exchange
		for _, body := range bodies {
			e := answered(took, body)
			e.Method, e.Test = http.MethodPost, "TestIt"
			list = append(list, e)
		}
		list[len(list)-1].Status = status
		return writeRecording(t, list)
	}
	const left, right = `{"seat":"left"}`, `{"seat":"right"}`
	const atOnce, inTurn = 1500 * time.Millisecond, 10 * time.Millisecond // they begin a second after each other
	for _, c := range []struct {
		name   string
		took   time.Duration
		status int
		code   int
	}{
		{"at once", atOnce, http.StatusOK, program.OK},
		{"in turn", inTurn, http.StatusOK, program.Differs},
		{"at once, and refused", atOnce, http.StatusConflict, program.Differs},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			before := []string{recorded(c.took, http.StatusOK, left, right), recorded(c.took, http.StatusOK, left, right)}
			got := diff(t, append(before, recorded(c.took, c.status, right, left)))
			if got.code != c.code {
				t.Errorf("exit code %d, want %d:\n%s%s", got.code, c.code, got.out, got.err)
			}
		})
	}
}
