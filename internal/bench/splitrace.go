package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// The ways to get a table from one database into another.
const (
	engineCopies   = "strangler split run --until copied"
	engineVerifies = "strangler split verify"
	byDump         = "`.dump | sqlite3`"
	byVacuum       = "`VACUUM INTO`"
	byPgDump       = "`pg_dump | psql`"
	byLoad         = "`.dump | psql`"
)

// A race moves the same rows in several ways, in interleaved rounds.
type race struct {
	title string
	rows  int
	ways  []string
	took  map[string][]time.Duration
}

func newRace(title string, rows int, ways ...string) *race {
	return &race{title: title, rows: rows, ways: ways, took: map[string][]time.Duration{}}
}

// faster is the median of how many times as fast one way is as another in a round; 0
// where it was not measured.
func (c *race) faster(one, other string) float64 {
	if c == nil || len(c.took[one]) == 0 || len(c.took[other]) != len(c.took[one]) {
		return 0
	}
	var list []float64
	for i, took := range c.took[one] {
		list = append(list, float64(c.took[other][i])/float64(took))
	}
	return median(list)
}

func (c *race) section() section {
	s := section{
		title:  c.title,
		text:   fmt.Sprintf("%d rows of about 120 bytes, an index on scattered values; rounds: %d.", c.rows, len(c.took[engineCopies])),
		header: []string{"way", "rows/s", "took (least to most)", "the engine's copy is faster by"},
	}
	for _, way := range c.ways {
		took := c.took[way]
		if len(took) == 0 {
			s.rows = append(s.rows, []string{way, "–", "not measured", "–"})
			continue
		}
		s.rows = append(s.rows, []string{
			way, fmt.Sprintf("%.0f", float64(c.rows)/median(took).Seconds()),
			fmt.Sprintf("%s (%s to %s)", ms(median(took)), ms(slices.Min(took)), ms(slices.Max(took))),
			fmt.Sprintf("%.2f", c.faster(engineCopies, way)),
		})
	}
	return s
}

// A lane is a way of a race, and how it is taken once.
type lane struct {
	way string
	run func(ctx context.Context) error
}

// run takes all lanes in turn, in the other order every second time.
func (r *splitRun) run(ctx context.Context, c *race, lanes ...lane) error {
	for round := range r.rounds {
		fmt.Fprintf(r.say, "split: %s, round %d of %d\n", c.title, round+1, r.rounds)
		if round%2 == 1 {
			slices.Reverse(lanes)
		}
		for _, l := range lanes {
			if err := l.run(ctx); err != nil {
				return fmt.Errorf("%s, %s: %w", c.title, l.way, err)
			}
		}
	}
	return nil
}

// engine is the lane of the engine: it copies, verifies, and takes everything back.
func (r *splitRun) engine(c *race, dir string) lane {
	return lane{engineCopies, func(ctx context.Context) error {
		copied, _, err := r.split(ctx, dir, "run", "--until", "copied")
		if err != nil {
			return err
		}
		verified, _, err := r.split(ctx, dir, "verify")
		if err != nil {
			return err
		}
		c.took[engineCopies] = append(c.took[engineCopies], copied.took)
		c.took[engineVerifies] = append(c.took[engineVerifies], verified.took)
		r.memory = max(r.memory, copied.memory, verified.memory)
		return r.undo(ctx, dir)
	}}
}

// undo takes a move back. The file of a target goes, too, as it does of the other ways:
// each round begins alike.
func (r *splitRun) undo(ctx context.Context, dir string) error {
	if _, _, err := r.split(ctx, dir, "abort", "--yes"); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(dir, "target.db")); err != nil {
		return fmt.Errorf("remove the target: %w", err)
	}
	return nil
}

// line is the lane of a line of the shell.
func (r *splitRun) line(c *race, dir, way, text string, before func(ctx context.Context) error) lane {
	return lane{way, func(ctx context.Context) error {
		if err := before(ctx); err != nil {
			return err
		}
		took, err := r.shell(ctx, dir, text)
		c.took[way] = append(c.took[way], took)
		return err
	}}
}

// size is how many rows a race has.
func (r *splitRun) size(n int) int {
	if r.short {
		return n / 10
	}
	return n
}

// has says whether there is a program, and notes what is not measured without it.
func (r *splitRun) has(program, what string) bool {
	_, err := exec.LookPath(program)
	if err != nil {
		r.missing = append(r.missing, fmt.Sprintf("Not measured: %s (there is no program %s).", what, program))
	}
	return err == nil
}

func (r *splitRun) raceSQLite(ctx context.Context) error {
	dir, err := r.folder("lite")
	if err != nil {
		return err
	}
	c := newRace("From SQLite to SQLite", r.size(2_000_000), engineCopies, engineVerifies, byDump, byVacuum)
	r.lite = c
	if err := fillSQLite(ctx, filepath.Join(dir, "source.db"), c.rows); err != nil {
		return err
	}
	if err := r.plan(dir, file("source.db"), file("target.db"), []string{"things"}, ""); err != nil {
		return err
	}
	lanes := []lane{r.engine(c, dir)}
	if r.has("sqlite3", byDump+" and "+byVacuum) {
		gone := func(context.Context) error { return os.RemoveAll(filepath.Join(dir, "other.db")) }
		lanes = append(lanes, r.line(c, dir, byDump, "sqlite3 source.db .dump | sqlite3 other.db", gone),
			r.line(c, dir, byVacuum, `sqlite3 source.db "VACUUM INTO 'other.db'"`, gone))
	}
	return r.run(ctx, c, lanes...)
}

func (r *splitRun) racePostgres(ctx context.Context) error {
	if r.server == nil {
		return nil
	}
	dir, err := r.folder("post")
	if err != nil {
		return err
	}
	c := newRace("From PostgreSQL to PostgreSQL", r.size(1_000_000), engineCopies, engineVerifies, byPgDump)
	r.post = c
	source, err := r.fresh(ctx, "source")
	if err != nil {
		return err
	}
	if err := fillPostgres(ctx, source, c.rows); err != nil {
		return err
	}
	target, err := r.fresh(ctx, "target")
	if err != nil {
		return err
	}
	if err := r.plan(dir, source, target, []string{"things"}, ""); err != nil {
		return err
	}
	load := fmt.Sprintf("%s -t things '%s' | %s -q -v ON_ERROR_STOP=1 '%s'", r.server.Program("pg_dump"), source.dsn, r.server.Program("psql"), r.server.DSN("other"))
	return r.run(ctx, c, r.engine(c, dir), r.line(c, dir, byPgDump, load, r.other))
}

// other makes the database empty into which others than the engine load.
func (r *splitRun) other(ctx context.Context) error {
	_, err := r.fresh(ctx, "other")
	return err
}

func (r *splitRun) raceMixed(ctx context.Context) error {
	if r.server == nil {
		return nil
	}
	dir, err := r.folder("mixed")
	if err != nil {
		return err
	}
	c := newRace("From SQLite to PostgreSQL", r.size(60_000), engineCopies, engineVerifies, byLoad)
	r.mixed = c
	if err := fillSQLite(ctx, filepath.Join(dir, "source.db"), c.rows); err != nil {
		return err
	}
	target, err := r.fresh(ctx, "mixed")
	if err != nil {
		return err
	}
	if err := r.plan(dir, file("source.db"), target, []string{"things"}, ""); err != nil {
		return err
	}
	lanes := []lane{r.engine(c, dir)}
	if r.has("sqlite3", byLoad) {
		load := fmt.Sprintf("sqlite3 source.db .dump | sed /^PRAGMA/d | %s -q -v ON_ERROR_STOP=1 '%s'", r.server.Program("psql"), r.server.DSN("other"))
		lanes = append(lanes, r.line(c, dir, byLoad, load, r.other))
	}
	return r.run(ctx, c, lanes...)
}
