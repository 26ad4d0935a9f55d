package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A besideCopy is what an application that writes notices of a copy.
type besideCopy struct {
	writes          int
	during, without time.Duration // p99 of its writes
	took            time.Duration // one copy
	wal             int64
}

const (
	writesBeside = 200       // a second
	rowsBeside   = 3_000_000 // enough for a few seconds: what begins and ends a move is little of it
)

// measureBeside writes at a constant rate, while an engine copies and without one.
func (r *splitRun) measureBeside(ctx context.Context) error {
	dir, err := r.folder("beside")
	if err != nil {
		return err
	}
	source := filepath.Join(dir, "source.db")
	if err := fillSQLite(ctx, source, r.size(rowsBeside)); err != nil {
		return err
	}
	if err := r.plan(dir, file("source.db"), file("target.db"), []string{"things"}, ""); err != nil {
		return err
	}
	db, err := openSQLite(source, "normal")
	if err != nil {
		return err
	}
	defer db.Close()
	var during, without []time.Duration
	next := 10_000_000
	for round := range r.rounds {
		fmt.Fprintf(r.say, "split: copy beside writes, round %d of %d\n", round+1, r.rounds)
		with, alone, err := r.besideOnce(ctx, dir, db, &next)
		if err != nil {
			return err
		}
		during, without = append(during, with...), append(without, alone...)
	}
	r.beside.writes, r.beside.during, r.beside.without = len(during), percent99(during), percent99(without)
	return nil
}

// besideOnce copies while it writes, and then only writes, for as long.
func (r *splitRun) besideOnce(ctx context.Context, dir string, db *sql.DB, next *int) (with, alone []time.Duration, err error) {
	var e effort
	with, err = writeBeside(ctx, db, next, func() (err error) {
		e, _, err = r.split(ctx, dir, "run", "--until", "copied")
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if err = r.undo(ctx, dir); err != nil {
		return nil, nil, err
	}
	alone, err = writeBeside(ctx, db, next, func() error {
		time.Sleep(e.took)
		return nil
	})
	r.beside.took, r.beside.wal, r.memory = e.took, max(r.beside.wal, e.wal), max(r.memory, e.memory)
	return with, alone, err
}

func percent99(list []time.Duration) time.Duration {
	slices.Sort(list)
	return outcome{latencies: list}.percentile(99)
}

// writeBeside writes at a constant rate while something is done. A write is measured from
// the moment it was due.
func writeBeside(ctx context.Context, db *sql.DB, next *int, do func() error) (took []time.Duration, err error) {
	done := make(chan struct{})
	var doing sync.WaitGroup
	var failed error
	doing.Go(func() {
		defer close(done)
		failed = do()
	})
	start := time.Now()
	for n := 0; err == nil; n++ {
		due := start.Add(time.Duration(n) * time.Second / writesBeside)
		time.Sleep(time.Until(due))
		select {
		case <-done:
			return took, failed
		default:
		}
		*next++
		_, err = db.ExecContext(ctx, `INSERT INTO things VALUES (?, ?, ?, 0)`, *next, "beside", *next%1000003)
		took = append(took, time.Since(due))
	}
	doing.Wait()
	return nil, fmt.Errorf("write beside the copy: %w", err)
}

func (r *splitRun) besideSection() section {
	b := r.beside
	return section{
		title: "What an application and the machine notice",
		text: fmt.Sprintf("A SQLite table of %d rows is copied while an application writes %d rows a second into it (synchronous=NORMAL, open loop), and as long not copied; %d writes beside copies.",
			r.size(rowsBeside), writesBeside, b.writes),
		header: []string{"what", "figure"},
		rows: [][]string{
			{"a copy took", ms(b.took)},
			{"p99 of the writes beside it", ms(b.during)},
			{"p99 of the writes without it", ms(b.without)},
			{"write-ahead log of the source, at most", megabytes(b.wal)},
			{"memory of the engine, at most, in all measurements", megabytes(r.memory)},
			{"100 tables of 100 rows, copied and verified", ms(median(r.small))},
		},
	}
}

// measureSmall moves 100 small tables.
func (r *splitRun) measureSmall(ctx context.Context) error {
	dir, err := r.folder("small")
	if err != nil {
		return err
	}
	var tables, statements []string
	for i := range 100 {
		name := fmt.Sprintf("small_%02d", i)
		tables = append(tables, name)
		statements = append(statements, "CREATE TABLE "+name+" (id INTEGER PRIMARY KEY, body TEXT UNIQUE)",
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO "+name+" SELECT i, 'row ' || i FROM n")
	}
	if err := execAll(ctx, file(filepath.Join(dir, "source.db")), statements...); err != nil {
		return err
	}
	if err := r.plan(dir, file("source.db"), file("target.db"), tables, ""); err != nil {
		return err
	}
	for round := range r.rounds {
		fmt.Fprintf(r.say, "split: 100 small tables, round %d of %d\n", round+1, r.rounds)
		e, _, err := r.split(ctx, dir, "run", "--until", "verified")
		if err != nil {
			return err
		}
		r.small, r.memory = append(r.small, e.took), max(r.memory, e.memory)
		if _, _, err := r.split(ctx, dir, "abort", "--yes"); err != nil {
			return err
		}
	}
	return nil
}
