package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

const editable = "version: 1\nmonolith: ${NOT_SET_HERE}\nservices: {s: http://127.0.0.1:9001}\nroutes:\n  a: { match: /a, to: s, stage: monolith } # é\n  b: { match: /b, stage: monolith }\n  c: { match: /c, to: s, stage: live }\n"

func fileWith(t *testing.T, text string) (path string, content func() string) {
	path = filepath.Join(t.TempDir(), "strangler.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, func() string {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(source)
	}
}

// moving is a change of some stages, given as name, stage, name, stage, ….
func moving(moves ...string) func(*config.Draft) error {
	return func(d *config.Draft) error {
		for i := 0; i < len(moves); i += 2 {
			to, err := config.ParseStage(moves[i+1])
			if err == nil {
				err = d.SetStage(moves[i], to)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func TestEditStage(t *testing.T) {
	t.Parallel()
	path, content := fileWith(t, editable)
	e, err := config.Edit(path, config.EditOptions{DryRun: true}, moving("a", "live"))
	if err != nil || content() != editable || e.Changes[0].After != "  a: { match: /a, to: s, stage: live } # é" || e.Changes[0].Line != 5 {
		t.Fatalf("dry run: %v %+v", err, e)
	}
	e, err = config.Edit(path, config.EditOptions{IfMatch: config.HashOf([]byte(editable))}, moving("a", "live"))
	if want := strings.Replace(editable, "to: s, stage: monolith", "to: s, stage: live", 1); err != nil || content() != want || !e.Changed() {
		t.Fatalf("set: %v %+v\n%s", err, e, content())
	}
	if e.After.Hash != config.HashOf([]byte(content())) || e.Before.Hash != config.HashOf([]byte(editable)) || e.After.Route("a").Stage != route.Live {
		t.Errorf("hashes: %+v", e)
	}
	if !strings.Contains(e.Patch, "-  a: { match: /a, to: s, stage: monolith } # é\n+  a: { match: /a, to: s, stage: live } # é\n") {
		t.Errorf("patch:\n%s", e.Patch)
	}
	if e, err = config.Edit(path, config.EditOptions{}, moving("a", "live")); err != nil || e.Changed() || e.Changes[0].Changed() || e.Patch != "" {
		t.Errorf("again: %v %+v", err, e)
	}
}

func TestEditIsAllOrNothing(t *testing.T) {
	t.Parallel()
	path, content := fileWith(t, editable)
	for _, bad := range []struct {
		moves []string
		want  string
	}{
		{[]string{"aa", "live"}, `no route "aa"; did you mean "a"?`},
		{[]string{"a", "liv"}, `did you mean "live"?`},
		{[]string{"a", "canary 5"}, `"5" has no %: write canary 5%`},
		{[]string{"a", "canary"}, "for how many clients"},
		{[]string{"b", "canary 5%"}, "has no service"},
		{[]string{"a", "live now"}, "nothing may follow"},
		{[]string{"a", "live", "b", "live"}, "has no service"},
		{[]string{"a", "live", "c", "monolith", "a", "shadow"}, "two stages"},
	} {
		_, err := config.Edit(path, config.EditOptions{}, moving(bad.moves...))
		if program.Code(err) != program.Usage || !strings.Contains(err.Error(), bad.want) || content() != editable {
			t.Errorf("%v: %v", bad.moves, err)
		}
	}
	e, err := config.Edit(path, config.EditOptions{}, func(d *config.Draft) error {
		return errors.Join(moving("a", "live", "c", "monolith")(d), d.Insert("panic", "why\nnot"))
	})
	want := strings.Replace(strings.Replace(strings.Replace(editable, "to: s, stage: monolith", "to: s, stage: live", 1),
		"/c, to: s, stage: live", "/c, to: s, stage: monolith", 1), "version: 1\n", "version: 1\npanic: \"why\\nnot\"\n", 1)
	if err != nil || content() != want || len(e.Changes) != 2 || e.Changes[1].Line != 8 || e.After.Panic != "why\nnot" {
		t.Errorf("three at once: %v %+v\n%s", err, e, content())
	}
}

func TestEditRefusesAnotherFile(t *testing.T) {
	t.Parallel()
	path, content := fileWith(t, editable)
	var stale *config.StaleError
	if _, err := config.Edit(path, config.EditOptions{IfMatch: "0123"}, moving("a", "live")); !errors.As(err, &stale) || program.Code(err) != program.Refused || content() != editable {
		t.Errorf("stale: %v", err)
	}
	if stale.Have != config.HashOf([]byte(editable)) || stale.Want != "0123" {
		t.Errorf("%+v", stale)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	var readOnly *config.ReadOnlyError
	if _, err := config.Edit(path, config.EditOptions{}, moving("a", "live")); !errors.As(err, &readOnly) || program.Code(err) != program.Usage || content() != editable {
		t.Fatalf("read-only: %v", err)
	}
	if !strings.Contains(readOnly.Patch, "+  a: { match: /a, to: s, stage: live } # é") {
		t.Errorf("patch:\n%s", readOnly.Patch)
	}
	if _, err := config.Edit(path, config.EditOptions{}, moving("c", "live")); err != nil {
		t.Errorf("nothing to write: %v", err)
	}
}

// Whatever edits are made, only the stages' words change.
func TestEditsKeepTheRest(t *testing.T) {
	t.Parallel()
	path, _ := fileWith(t, "")
	rapid.Check(t, func(t *rapid.T) {
		end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end")
		stages := rapid.SliceOfN(rapid.SampledFrom([]string{"monolith", "shadow", "canary 0.25%", "live", "done"}), 1, 6)
		before := stages.Draw(t, "before")
		text := func(stages []string) string {
			lines := []string{"# é: {x}", "version: 1", "monolith: http://127.0.0.1:9000 # m", "services: { s: http://127.0.0.1:9001 }", "routes:"}
			for i, s := range stages {
				lines = append(lines, fmt.Sprintf("  r%d: { to: s,  match: /r%d,stage:  \"%s\" }   # stage: live", i, i, s), "", "  # between")
			}
			return strings.Join(lines, end) + end
		}
		if err := os.WriteFile(path, []byte(text(before)), 0o600); err != nil {
			t.Fatal(err)
		}
		after := append([]string(nil), before...)
		_, err := config.Edit(path, config.EditOptions{}, func(d *config.Draft) error {
			for i := range after {
				if rapid.Bool().Draw(t, "move") {
					after[i] = rapid.SampledFrom([]string{"monolith", "shadow", "canary 100%", "live", "done"}).Draw(t, "to")
					if err := moving(fmt.Sprintf("r%d", i), after[i])(d); err != nil {
						return err
					}
				}
			}
			return nil
		})
		got, readErr := os.ReadFile(path)
		if err != nil || readErr != nil || string(got) != text(after) {
			t.Fatalf("%v %v\n%s\nwant\n%s", err, readErr, got, text(after))
		}
	})
}

func TestPanicAndGuardKeys(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"panic: prices are wrong": "prices are wrong", "panic: true": "true", "panic: false": "", `panic: "${HOME}"`: "${HOME}",
	} {
		cfg, err := parse("version: 1\nmonolith: http://127.0.0.1:9000\n"+line+"\n", config.Options{})
		if err != nil || cfg.Panic != want {
			t.Errorf("%s: %v %v", line, cfg, err)
		}
	}
	for line, want := range map[string]string{
		"panic:": "panic must say why", "panic: '  '": "panic must say why", "panic: {a: b}": "panic must say why",
		"guard: on": "guard must be a mapping",
	} {
		if _, err := parse("version: 1\nmonolith: http://127.0.0.1:9000\n"+line+"\n", config.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	const routes = "version: 1\nmonolith: http://127.0.0.1:9000\nservices: {s: http://127.0.0.1:9001}\nroutes:\n  a: { match: GET /a, to: s, stage: shadow }\n  w: { match: POST /a, to: s, stage: shadow }\n"
	for _, test := range []struct {
		guard, name, to string
		evidence        route.Evidence
		want            []route.Rule
	}{
		{"", "a", "live", route.Evidence{Compared: 100}, []route.Rule{route.RuleSteps}},
		{"", "a", "canary 5%", route.Evidence{}, nil},
		{"guard: { compared: 5, mismatch: 20% }", "a", "live", route.Evidence{Compared: 5, Mismatches: 1}, []route.Rule{route.RuleSteps}},
		{"guard: { compared: 5, mismatch: 19% }", "a", "live", route.Evidence{Compared: 5, Mismatches: 1}, []route.Rule{route.RuleSteps, route.RuleEvidence}},
		{"guard: off", "a", "live", route.Evidence{}, nil},
		{"guard: off", "w", "live", route.Evidence{}, []route.Rule{route.RuleWrites}},
	} {
		cfg, err := parse(routes+test.guard+"\n", config.Options{})
		if err != nil {
			t.Fatal(err)
		}
		to, _ := config.ParseStage(test.to)
		var got []route.Rule
		for _, o := range cfg.Objections(cfg.Route(test.name), to, test.evidence) {
			got = append(got, o.Rule)
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s, %s to %s: %v, want %v", test.guard, test.name, test.to, got, test.want)
		}
	}
}
