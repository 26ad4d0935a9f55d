// Package split moves tables out of a monolith's database into a service's while
// applications go on writing, and back. It knows no application: everything comes from
// a plan file.
//
// An Engine is a plan with both databases open. Its parts are small packages: plan
// (the file), schema and value (what tables hold), dialect (one database), transfer
// (copy, apply, compare), ownership (the switch), state (where a split is on its way)
// and control (who works on it).
package split

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/postgres"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// Options tune an Engine. The zero value is fit for production.
type Options struct {
	Log   *slog.Logger   // nil discards
	Store *control.Store // nil: nobody else is told who works on the split, or can ask
	Name  string         // what the user calls the plan, for remedies; empty: the split's name
	Actor string         // who gives the commands, for the history; empty: not known
	Poll  time.Duration  // how often an idle engine looks into the log; 0 means 25 ms
	// Patience is how long a lock of somebody else is waited for before that is said, in
	// SQLite; 0 means 5 s. A server has settings of its own.
	Patience time.Duration
	// Transfer is handed to every way between the two databases.
	Transfer transfer.Options
}

// An Engine is a plan with both of its databases open. Who opened it closes it. Its
// methods may be used by one goroutine at a time.
type Engine struct {
	Plan   *plan.Plan
	Source dialect.Database
	Target dialect.Database
	opts   Options
}

// Open opens the databases of a plan. It changes nothing in them; a target that is a
// SQLite file is made if it is not there and make is set.
func Open(ctx context.Context, p *plan.Plan, make bool, opts Options) (*Engine, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Poll == 0 {
		opts.Poll = 25 * time.Millisecond
	}
	if opts.Name == "" {
		opts.Name = p.Split
	}
	source, err := open(ctx, p.Source, false, false, opts.Patience)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	target, err := open(ctx, p.Target, make, !make, opts.Patience)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("target: %w", err), source.Close())
	}
	return &Engine{Plan: p, Source: source, Target: target, opts: opts}, nil
}

// targetCache is the page cache of a target. Rows come in the order of their keys and
// indexes are made at the end, so more makes nothing faster; sorting takes as much again.
const targetCache = 24 << 20

// open opens one database by its driver.
func open(ctx context.Context, d plan.Database, make, absent bool, patience time.Duration) (dialect.Database, error) {
	switch d.Driver {
	case plan.SQLite:
		return sqlite.Open(ctx, d.DSN, sqlite.Options{Create: make, Absent: absent, CacheBytes: targetCache, BusyTimeout: patience})
	case plan.PostgreSQL:
		return postgres.Open(ctx, d.DSN)
	}
	return nil, fmt.Errorf("driver %s is not built into this program", d.Driver)
}

// Name is what the user calls the plan, to be used in commands.
func (e *Engine) Name() string { return e.opts.Name }

// SetTransfer changes the options of the ways that are made from now on.
func (e *Engine) SetTransfer(o transfer.Options) { e.opts.Transfer = o }

// Close closes both databases.
func (e *Engine) Close() error { return errors.Join(e.Source.Close(), e.Target.Close()) }
