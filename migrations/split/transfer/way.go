// Package transfer carries rows from the side of a split that leads to the one that
// follows: it copies, applies what was logged, and compares. Each method is one small
// step that may be interrupted anywhere, by an error or by the death of the process, and
// repeated.
//
// For every key one of three things holds at any time: both sides have the same row, or
// the key is in the log of the side that leads, or it lies behind the cursor of the copy.
// All steps go through one Way, one after the other: that is what keeps a row that was
// read earlier from overwriting one that was read later.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// A Side is a database with the move as it sees it.
type Side struct {
	dialect.Database
	Move dialect.Move
}

// A Way leads from one side to the other. It is not safe for concurrent use, and for a
// split there is one at a time.
type Way struct {
	From, To Side
	opts     Options
	direct   dialect.Direct
	convert  []func(value.Row) error // by table; nil: rows stay as they are
	progress map[string]dialect.Progress
	looked   time.Time // when the capture was last looked at for the sake of a chunk
}

// Options tune a Way. The zero value is fit for production.
type Options struct {
	BatchKeys  int // keys applied in one transaction; 0 means 1000
	BatchBytes int // rows held in memory at a time; 0 means 4 MiB
	Repair     bool
	Generic    bool // rows go through memory even where the databases could do it by themselves
	Meter      *Meter

	// Step, if set, is called between any two things that a crash could separate. An
	// error that it returns ends the step there, as a crash would.
	Step func(name string) error
}

// New returns the way from one side to the other. The shapes of both moves are in the
// same order.
func New(ctx context.Context, from, to Side, opts Options) (*Way, error) {
	if opts.BatchKeys == 0 {
		opts.BatchKeys = 1000
	}
	if opts.BatchBytes == 0 {
		opts.BatchBytes = 4 << 20
	}
	w := &Way{From: from, To: to, opts: opts, convert: make([]func(value.Row) error, len(to.Move.Shapes))}
	state, err := to.State(ctx, to.Move.Split)
	if err != nil {
		return nil, err
	}
	if state.Move != to.Move.ID {
		return nil, fmt.Errorf("%s: %w", to.Info().Name, dialect.ErrOtherMove)
	}
	w.progress = state.Tables
	if to.Move.Role == dialect.Source {
		w.allCopied()
	}
	if c, ok := to.Database.(dialect.Converter); ok {
		for i, s := range to.Move.Shapes {
			convert, obstacles := c.Convert(from.Info().Driver, from.Move.Shapes[i], s)
			if len(obstacles) > 0 {
				return nil, fmt.Errorf("table %s: %s", s.Table.Name, obstacles[0].Reason)
			}
			w.convert[i] = convert
		}
	}
	if d, ok := to.Database.(dialect.Directly); ok && !opts.Generic {
		w.direct, err = d.Direct(ctx, from.Database)
	}
	return w, err
}

// Tables is how many tables the way carries.
func (w *Way) Tables() int { return len(w.To.Move.Shapes) }

// Progress is how far a table is.
func (w *Way) Progress(table int) dialect.Progress {
	return w.progress[w.To.Move.Shapes[table].Table.Name]
}

// Copied reports whether every table has been copied, and has the index of its key.
func (w *Way) Copied() bool {
	for i := range w.Tables() {
		if p := w.Progress(i); !p.Copied || p.Keyless {
			return false
		}
	}
	return true
}

// keyless reports whether the index of a table's key is parked.
func (w *Way) keyless() bool {
	for i := range w.Tables() {
		if w.Progress(i).Keyless {
			return true
		}
	}
	return false
}

// allCopied marks every table as copied. On the way back to the source that is what they
// are: all that the target holds was copied from there.
func (w *Way) allCopied() {
	for _, s := range w.To.Move.Shapes {
		p := w.progress[s.Table.Name]
		p.Copied, p.Cursor = true, nil
		w.progress[s.Table.Name] = p
	}
}

func (w *Way) step(name string) error {
	if w.opts.Step == nil {
		return nil
	}
	return w.opts.Step(name)
}

// index finds a table by the name that the side which leads has for it.
func (w *Way) index(table string) (int, error) {
	for i, s := range w.From.Move.Shapes {
		if s.Table.Name == table {
			return i, nil
		}
	}
	return 0, fmt.Errorf("table %s is not part of split %s", table, w.From.Move.Split)
}

// read begins a snapshot of the side that leads, after making sure that nothing has gone
// by unseen.
func (w *Way) read(ctx context.Context) (dialect.Snapshot, error) {
	snap, err := w.From.Snapshot(ctx, w.From.Move)
	if err != nil {
		return nil, err
	}
	if err := snap.Captured(ctx); err != nil {
		return nil, errors.Join(err, snap.Close())
	}
	return snap, nil
}

// write runs f in a transaction of the side that follows.
func (w *Way) write(ctx context.Context, what string, f func(tx dialect.Tx) error) error {
	tx, err := w.To.Begin(ctx, w.To.Move)
	if err != nil {
		return err
	}
	return w.commit(what, tx, f)
}

// writeLazily is write for what may be lost when the machine crashes.
func (w *Way) writeLazily(ctx context.Context, what string, f func(tx dialect.Tx) error) error {
	tx, err := beginLazily(ctx, w.To)
	if err != nil {
		return err
	}
	return w.commit(what, tx, f)
}

func beginLazily(ctx context.Context, s Side) (dialect.Tx, error) {
	if lazy, ok := s.Database.(dialect.Lazy); ok {
		return lazy.BeginLazily(ctx, s.Move)
	}
	return s.Begin(ctx, s.Move)
}

// commit runs f in tx and commits it.
func (w *Way) commit(what string, tx dialect.Tx, f func(tx dialect.Tx) error) error {
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	if err := w.step(what + ": before the commit"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return w.step(what + ": after the commit")
}

// converted makes a row of the side that follows of one of the side that leads.
func (w *Way) converted(table int, row value.Row) error {
	if w.convert[table] == nil {
		return nil
	}
	if err := w.convert[table](row); err != nil {
		s := w.From.Move.Shapes[table]
		return fmt.Errorf("table %s, key %s: %w", s.Table.Name, value.Key(row[:s.Keys]), err)
	}
	return nil
}

// shapes are those of one table on both sides.
func (w *Way) shapes(table int) (from, to *schema.Shape) {
	return w.From.Move.Shapes[table], w.To.Move.Shapes[table]
}
