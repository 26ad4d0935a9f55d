package mixes_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/shoptest"
)

// bin is the folder with the programs and the compiled suite; TestMain fills it.
var bin string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mixes:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, remove, err := shoptest.TempDir()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	bin = dir
	ctx := context.Background()
	if err := shoptest.Build(ctx, bin, "monolith", "recommendations", "catalog", "reviews", "strangler"); err != nil {
		return 1, err
	}
	if err := shoptest.BuildTests(ctx, filepath.Join(bin, "suite"), "acceptance"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// newMonolith starts a monolith with a shop of its own for the test.
func newMonolith(t *testing.T) *shoptest.Process {
	t.Helper()
	p, err := shoptest.StartMonolith(t.Context(), bin, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, p)
	return p
}

func stopAtEnd(t *testing.T, p *shoptest.Process) {
	t.Helper()
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// A verdict is what a run of the suite said.
type verdict struct {
	passed, failed, skipped []string // top-level tests
	output                  string
}

var verdictLine = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): (\w+)`)

// suite runs the tests that match pattern against url.
func suite(t *testing.T, url, pattern string) verdict {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "suite"),
		"-test.v", "-test.shuffle=on", "-test.timeout=5m", "-test.run="+pattern)
	cmd.Env = append(os.Environ(), "BASE_URL="+url)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run the suite: %v", err)
	}
	v := verdict{output: string(out)}
	for _, m := range verdictLine.FindAllStringSubmatch(v.output, -1) {
		switch m[1] {
		case "PASS":
			v.passed = append(v.passed, m[2])
		case "FAIL":
			v.failed = append(v.failed, m[2])
		case "SKIP":
			v.skipped = append(v.skipped, m[2])
		}
	}
	if len(v.passed)+len(v.failed) == 0 {
		t.Fatalf("the suite ran nothing: %v\n%s", err, v.output)
	}
	if (err == nil) != (len(v.failed) == 0) {
		t.Fatalf("the suite ended with %v, but %d tests failed\n%s", err, len(v.failed), v.reasons())
	}
	return v
}

var noise = regexp.MustCompile(`^\s*(=== |--- PASS)`)

// reasons returns what the suite printed, without what passed.
func (v verdict) reasons() string {
	var b strings.Builder
	for line := range strings.Lines(v.output) {
		if !noise.MatchString(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// green ends the test unless all tests passed.
func (v verdict) green(t *testing.T) {
	t.Helper()
	if len(v.failed)+len(v.skipped) > 0 {
		t.Fatalf("failed %v, skipped %v:\n%s", v.failed, v.skipped, v.reasons())
	}
	t.Logf("%d tests passed, with %d checks of their own", len(v.passed), strings.Count(v.output, "    --- PASS"))
}
