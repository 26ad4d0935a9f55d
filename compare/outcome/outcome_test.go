package outcome_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stranglerfig/toolkit/compare/outcome"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestProducers reads what the usual producers wrote of the same few tests, under the producer's
// name and version, and in edges* what is rarer; the golden file beside each says what is to be read.
func TestProducers(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".want") {
			continue
		}
		read++
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parse := map[string]func(string) (outcome.Outcomes, error){
				".xml":  func(s string) (outcome.Outcomes, error) { return outcome.JUnit(strings.NewReader(s)) },
				".json": func(s string) (outcome.Outcomes, error) { return outcome.GoTest(strings.NewReader(s)) },
				".tap": func(s string) (outcome.Outcomes, error) {
					return outcome.TAP(iotest.OneByteReader(strings.NewReader(s)))
				},
			}[filepath.Ext(file)]
			got, err := parse(string(text))
			if err != nil {
				t.Fatal(err)
			}
			out, err := json.MarshalIndent(got, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			golden := file + ".want"
			if *update {
				if err := os.WriteFile(golden, append(out, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || string(want) != string(out)+"\n" {
				t.Errorf("%v; read:\n%s\nwant:\n%s", err, out, want)
			}
		})
	}
	if read < 14 {
		t.Errorf("%d producers", read)
	}
}

func TestBadReports(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{}", "<html></html>", "<testsuites>", "<testsuite><testcase name='x'>", "<testsuite></testcase>", "\xff\xfe<", "<?xml version='1.0' encoding='x-none'?><testsuite/>", strings.Repeat("<testsuite>", 1000)} {
		if got, err := outcome.JUnit(strings.NewReader(text)); err == nil {
			t.Errorf("%.40q was read as %+v", text, got)
		}
	}
	for _, text := range []string{"", "PASS\nok\n", "{", "{\"a\":1}"} {
		if got, err := outcome.GoTest(strings.NewReader(text)); err == nil {
			t.Errorf("%.40q was read as %+v", text, got)
		}
	}
	if got, err := outcome.TAP(strings.NewReader("nothing of that kind")); err == nil {
		t.Errorf("read as %+v", got)
	}
	if o, err := outcome.TAP(strings.NewReader("1..3\nok 1\n")); err != nil || !o.Has(outcome.Fail) {
		t.Errorf("a plan that was not kept: %+v, %v", o, err)
	}
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	runs := func(statuses string) (all []outcome.Outcomes) { // p f s, - is none
		for _, c := range statuses {
			var o outcome.Outcomes
			if s, ok := map[rune]outcome.Status{'p': outcome.Pass, 'f': outcome.Fail, 's': outcome.Skip}[c]; ok {
				o.Tests = []outcome.Test{{Name: "T", Status: s}}
			}
			all = append(all, o)
		}
		return all
	}
	for _, c := range []struct {
		before, after string
		want          outcome.Verdict
		worse         bool
	}{
		{"pp", "p", outcome.Same, false},
		{"pp", "f", outcome.NewlyFailing, true},
		{"ff", "p", outcome.NewlyPassing, false},
		{"ff", "f", outcome.FailingBefore, false},
		{"pf", "f", outcome.FlakyBefore, false},
		{"pp", "pf", outcome.FlakyAfter, true},
		{"pp", "-", outcome.MissingAfter, true},
		{"--", "p", outcome.New, false},
		{"--", "f", outcome.NewlyFailing, true},
		{"pp", "s", outcome.SkipChanged, true},
		{"p-", "p", outcome.FlakyBefore, false},
	} {
		rows := outcome.Matrix(runs(c.before), runs(c.after))
		if len(rows) != 1 || rows[0].Verdict != c.want || rows[0].Verdict.Worse() != c.worse {
			t.Errorf("%s → %s: %+v, want %s", c.before, c.after, rows, c.want)
		}
	}
}
