package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	captureRows = 20_000 // of the table that is written
	writeSlices = 5      // of a round, in turn with and without capture
)

// A captureCost compares small transactions on a table whose changes are logged with the
// same on one whose are not.
type captureCost struct {
	name    string
	goal    float64
	anew    bool      // each write prepares its statement
	without []float64 // writes a second, by round
	with    []float64
	bare    []float64 // with triggers that do the least; none: not measured
}

// ratio is the median over the rounds.
func (c captureCost) ratio() float64 { return median(ratios(c.with, c.without)) }

func ratios(a, b []float64) []float64 {
	var list []float64
	for i := range a {
		list = append(list, a[i]/b[i])
	}
	return list
}

// bareLog is the least that can be logged: of each change the key, and nothing else. What
// writes cost beside it is SQLite's, and what the engine's log costs more is ours.
const bareLog = `CREATE TABLE bare (id);
	CREATE TRIGGER bare_insert AFTER INSERT ON things BEGIN INSERT INTO bare VALUES (NEW.id); END;
	CREATE TRIGGER bare_update AFTER UPDATE ON things BEGIN INSERT INTO bare VALUES (NEW.id); END;
	CREATE TRIGGER bare_delete AFTER DELETE ON things BEGIN INSERT INTO bare VALUES (OLD.id); END`

// measureCapture writes into two equal tables; one of them is being moved, and its
// changes are logged.
func (r *splitRun) measureCapture(ctx context.Context) error {
	for _, mode := range []struct {
		name, synchronous string
		anew              bool
	}{{"SQLite, NORMAL", "normal", false}, {"SQLite, FULL", "full", false}, {"SQLite, NORMAL, statements prepared each time", "normal", true}} {
		if err := r.captureSQLite(ctx, mode.synchronous, captureCost{name: mode.name, goal: 0.80, anew: mode.anew}); err != nil {
			return err
		}
	}
	if r.server == nil {
		return nil
	}
	return r.capturePostgres(ctx, captureCost{name: "PostgreSQL", goal: 0.85})
}

func (r *splitRun) captureSQLite(ctx context.Context, synchronous string, c captureCost) error {
	dir, err := r.folder("capture")
	if err != nil {
		return err
	}
	dbs := make([]*sql.DB, 3)
	for i, name := range []string{"plain.db", "source.db", "bare.db"} {
		if err := fillSQLite(ctx, filepath.Join(dir, name), r.size(captureRows)); err != nil {
			return err
		}
		if dbs[i], err = openSQLite(filepath.Join(dir, name), synchronous); err != nil {
			return err
		}
		defer dbs[i].Close()
	}
	if _, err := dbs[2].ExecContext(ctx, bareLog); err != nil {
		return fmt.Errorf("make the bare log: %w", err)
	}
	return r.compareWrites(ctx, c, dir, file("source.db"), file("target.db"), dbs)
}

func (r *splitRun) capturePostgres(ctx context.Context, c captureCost) error {
	dir, err := r.folder("capture")
	if err != nil {
		return err
	}
	dbs := make([]*sql.DB, 2)
	var sides [2]database
	for i, name := range []string{"plain", "captured"} {
		if sides[i], err = r.fresh(ctx, name); err != nil {
			return err
		}
		if err := fillPostgres(ctx, sides[i], r.size(captureRows)); err != nil {
			return err
		}
		if dbs[i], err = sql.Open("pgx", sides[i].dsn); err != nil {
			return fmt.Errorf("open database %s: %w", name, err)
		}
		dbs[i].SetMaxOpenConns(1)
		defer dbs[i].Close()
	}
	target, err := r.fresh(ctx, "followed")
	if err != nil {
		return err
	}
	return r.compareWrites(ctx, c, dir, sides[1], target, dbs)
}

// compareWrites starts the move of the second database's table, and writes into all in
// interleaved rounds. What is logged is applied between two rounds: the log stays as
// small as an engine that follows keeps it. A third database has the bare log.
func (r *splitRun) compareWrites(ctx context.Context, c captureCost, dir string, source, target database, dbs []*sql.DB) error {
	if err := r.plan(dir, source, target, []string{"things"}, ""); err != nil {
		return err
	}
	next := []int{1_000_000, 1_000_000, 1_000_000}
	order := []int{0, 1, 2}[:len(dbs)]
	for round := range 2*r.rounds + 2 {
		fmt.Fprintf(r.say, "split: capture, %s, round %d of %d\n", c.name, round, 2*r.rounds+1)
		if err := r.emptyLogs(ctx, dir, dbs); err != nil {
			return err
		}
		var got [3]float64
		for range writeSlices { // what else the machine does meets all
			for _, i := range order {
				rate, err := c.writeFor(ctx, dbs[i], source.driver, r.seconds/40/writeSlices, &next[i])
				if err != nil {
					return fmt.Errorf("capture, %s: %w", c.name, err)
				}
				got[i] += rate / writeSlices
			}
			slices.Reverse(order)
		}
		if round == 0 { // it warms up
			continue
		}
		c.without, c.with = append(c.without, got[0]), append(c.with, got[1])
		if len(dbs) == len(got) {
			c.bare = append(c.bare, got[2])
		}
	}
	r.capture = append(r.capture, c)
	return nil
}

func (r *splitRun) emptyLogs(ctx context.Context, dir string, dbs []*sql.DB) error {
	if _, _, err := r.split(ctx, dir, "run", "--until", "verified"); err != nil || len(dbs) < 3 {
		return err
	}
	if _, err := dbs[2].ExecContext(ctx, `DELETE FROM bare`); err != nil {
		return fmt.Errorf("empty the bare log: %w", err)
	}
	return nil
}

// writeFor writes one row a transaction, in turn a new one, a changed one and a deleted
// one, and returns how many a second.
func (c captureCost) writeFor(ctx context.Context, db *sql.DB, driver string, d time.Duration, next *int) (float64, error) {
	var writes [3]func(args ...any) (sql.Result, error)
	for i, text := range []string{
		`INSERT INTO things (id, body, code, made) VALUES (?, ?, ?, 0)`, `UPDATE things SET made = made + 1 WHERE id = ?`, `DELETE FROM things WHERE id = ?`,
	} {
		text = param(driver, text)
		if c.anew {
			writes[i] = func(args ...any) (sql.Result, error) { return db.ExecContext(ctx, text, args...) }
			continue
		}
		statement, err := db.PrepareContext(ctx, text) //nolint:sqlclosecheck // the line after the check closes it
		if err != nil {
			return 0, fmt.Errorf("prepare %q: %w", text, err)
		}
		defer statement.Close()
		writes[i] = func(args ...any) (sql.Result, error) { return statement.ExecContext(ctx, args...) }
	}
	body := strings.Repeat("x", 90)
	began := time.Now()
	n := 0
	for ; time.Since(began) < d; n++ {
		args := []any{*next} // the row of the write before
		switch n % 3 {
		case 0:
			*next++
			args = []any{*next, body, *next * 7919 % 1000003}
		case 2:
			args[0] = *next - 1 // one stays of three writes
		}
		if _, err := writes[n%3](args...); err != nil {
			return 0, fmt.Errorf("write %d: %w", n, err)
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// param writes the parameters of a statement as its driver wants them.
func param(driver, statement string) string {
	if driver != "pgx" {
		return statement
	}
	for i := 1; strings.Contains(statement, "?"); i++ {
		statement = strings.Replace(statement, "?", fmt.Sprintf("$%d", i), 1)
	}
	return statement
}

func (r *splitRun) captureSection() section {
	s := section{
		title:  "What writes cost while a table moves",
		header: []string{"database", "writes/s without", "writes/s, changes are logged", "ratio (least to most)", "the same, a trigger writes the bare key"},
		text: fmt.Sprintf("One row a transaction, in turn inserted, changed and deleted, by one connection, on %d rows with an index; medians of the rounds. The engine applies the log between them. ", r.size(captureRows)) +
			"The last column is the least that can be logged: a table of one column, into which triggers write the key that changed. What that costs is SQLite's, and no engine with triggers is cheaper.",
	}
	spread := func(with, without []float64) string {
		if len(with) == 0 {
			return "–"
		}
		list := ratios(with, without)
		return fmt.Sprintf("%.2f (%.2f to %.2f)", median(list), slices.Min(list), slices.Max(list))
	}
	for _, c := range r.capture {
		s.rows = append(s.rows, []string{
			c.name, fmt.Sprintf("%.0f", median(c.without)), fmt.Sprintf("%.0f", median(c.with)), spread(c.with, c.without), spread(c.bare, c.without),
		})
	}
	return s
}
