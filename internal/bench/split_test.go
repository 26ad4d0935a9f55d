package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/plan"
)

// TestFasterComparesRounds: each round is compared with itself, and the middle counts.
func TestFasterComparesRounds(t *testing.T) {
	t.Parallel()
	c := newRace("x", 10, "a", "b", "c")
	c.took["a"] = []time.Duration{10, 100, 20}
	c.took["b"] = []time.Duration{40, 200, 100} // 4, 2 and 5 times
	if got := c.faster("a", "b"); got != 4 {
		t.Errorf("a is %v times as fast as b, want 4", got)
	}
	if got := c.faster("a", "c"); got != 0 {
		t.Errorf("c was not measured, and a is %v times as fast", got)
	}
	var none *race
	if got := none.faster("a", "b"); got != 0 {
		t.Errorf("nothing was measured: %v", got)
	}
}

// TestNotMeasuredIsNamed: without a server of PostgreSQL every goal still has its line.
func TestNotMeasuredIsNamed(t *testing.T) {
	t.Parallel()
	r := &splitRun{lite: newRace("x", 10), missing: []string{"Not measured: PostgreSQL (it is not there)."}}
	s := r.goals()
	if !strings.Contains(s.text, "it is not there") {
		t.Errorf("the reason is missing: %s", s.text)
	}
	for _, goal := range []string{"SQLite to PostgreSQL", "PostgreSQL copy", "verify, PostgreSQL"} {
		found := false
		for _, row := range s.rows {
			found = found || row[0] == goal && row[3] == "not measured"
		}
		if !found {
			t.Errorf("goal %q does not say that it was not measured: %v", goal, s.rows)
		}
	}
}

// TestPlansAreValid: what the measurements give to the engine is a plan.
func TestPlansAreValid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := &splitRun{}
	dsn := "postgres:///target?host=%2Ftmp%2Fx&sslmode=disable&user=postgres"
	if err := r.plan(dir, file("source.db"), database{plan.PostgreSQL, dsn}, []string{"a", "b"}, "routes: { flip: [a] }\nproxies: [\"http://127.0.0.1:1\"]\n"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "plan.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Parse("plan.yaml", text, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Source.Driver != plan.SQLite || p.Target.DSN != dsn || len(p.Tables) != 2 {
		t.Errorf("%+v", p)
	}
}

func TestParametersOfDrivers(t *testing.T) {
	t.Parallel()
	const statement = "UPDATE t SET a = ? WHERE b = ?"
	if got := param("pgx", statement); got != "UPDATE t SET a = $1 WHERE b = $2" {
		t.Error(got)
	}
	if got := param("sqlite3", statement); got != statement {
		t.Error(got)
	}
}

// TestPipesInTables: the name of a way may be a line of the shell.
func TestPipesInTables(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	section{title: "x", header: []string{"way"}, rows: [][]string{{byDump}}}.markdown(&b)
	if !strings.Contains(b.String(), "\n| way |\n| --- |\n| `.dump \\| sqlite3` |\n") {
		t.Errorf("%s", b.String())
	}
}
