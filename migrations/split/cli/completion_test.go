package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/migrations/split/cli"
)

// completions are what a shell is told to offer, without the directive's name.
func completions(t *testing.T, args ...string) string {
	t.Helper()
	var out, talk bytes.Buffer
	root := &cobra.Command{Use: "strangler", SilenceUsage: true}
	root.AddCommand(cli.Command(cli.Options{}))
	root.SetArgs(append([]string{"__complete", "split"}, args...))
	root.SetOut(&out)
	root.SetErr(&talk)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// TestCompletion: each command that takes a plan completes it; :4 keeps the shell from
// offering files, and :8 lets it offer those with the endings that are listed.
func TestCompletion(t *testing.T) {
	t.Parallel()
	plans := t.TempDir()
	for _, name := range []string{"reviews.yaml", "orders.yaml", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(plans, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := cli.Command(cli.Options{}).Commands()
	if len(commands) < 13 {
		t.Fatalf("only %d commands", len(commands))
	}
	for _, cmd := range commands {
		if cmd.Name() == "init" {
			continue
		}
		line := []string{cmd.Name(), "--plans", plans}
		if cmd.Flag("rows") != nil {
			line = append(line, "--rows", "1") // it is required, and would be offered first
		}
		for typed, want := range map[string]string{"": "orders reviews :4", "./": "yaml yml :8"} {
			if have := completions(t, append(slices.Clone(line), typed)...); have != want {
				t.Errorf("%s %q completes to %q, want %q", cmd.Name(), typed, have, want)
			}
		}
		if have := completions(t, append(line, "reviews", "")...); have != ":4" {
			t.Errorf("%s takes a second plan: %q", cmd.Name(), have)
		}
	}
	for want, args := range map[string][]string{
		"orders reviews :4":  {"status", "--plans", plans, "--plan", ""},
		"yaml yml :8":        {"status", "--plans", t.TempDir(), ""},
		"copied verified :4": {"run", "reviews", "--until", ""},
		":16":                {"status", "--plans", ""},
		":4":                 {"status", "--plans", plans, "--plan", "reviews", ""},
	} {
		if have := completions(t, args...); have != want {
			t.Errorf("%v completes to %q, want %q", args, have, want)
		}
	}
}

// TestCompletionOfMoves: report completes the moves that are known.
func TestCompletionOfMoves(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	if have := completions(t, "report", s.plan, "--move", ""); have != ":4" {
		t.Errorf("before there is anything: %q", have)
	}
	s.split("run", s.plan, "--until", "verified")
	have, directive, _ := strings.Cut(completions(t, "report", s.plan, "--move", ""), " ")
	if len(have) != 36 || directive != ":4" {
		t.Errorf("the move %q, then %q", have, directive)
	}
}
