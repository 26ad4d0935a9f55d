package split

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/state"
)

// CompleteOptions tune Complete. The zero value drops the source's tables, once the
// window is over.
type CompleteOptions struct {
	KeepData bool   `json:"keep_data,omitempty"` // leave the source's tables under their retired names
	Confirm  bool   `json:"confirm,omitempty"`   // although the window is not over, or somebody still writes the source
	Reason   string `json:"reason,omitempty"`    // why, for the history
	By       string `json:"by,omitempty"`        // who asks for it
	// Step is told before each thing that a crash could separate from the next; nil means
	// nobody.
	Step func(name string) `json:"-"`
}

// A CompleteReport says what Complete did.
type CompleteReport struct {
	Schema  int            `json:"schema"`
	Split   string         `json:"split"`
	Began   time.Time      `json:"began"`
	Until   time.Time      `json:"until"`
	By      string         `json:"by,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	Confirm bool           `json:"confirmed,omitempty"` // although the window was open, or somebody still wrote the source
	Rows    int64          `json:"rows_deleted"`
	Tables  []string       `json:"tables"`         // of the source, by their retired names
	Kept    bool           `json:"kept,omitempty"` // they are still there
	Last    []TableStatus  `json:"last,omitempty"` // what the target had recorded of the copy, which goes
	Refused RefusedOnSides `json:"refused_writes"` // what had been counted, which goes
}

// shrinkFor is how long one batch of deletions may keep others from writing, about.
const shrinkFor = 20 * time.Millisecond

// Complete ends a move whose tables the target owns: the way back is given up, and the
// source's tables go. The first thing that it does cannot be undone without a new copy;
// whatever interrupts it after that, the same command goes on. The records of who owns
// the tables stay in both databases, because applications read them.
func (w *Work) Complete(ctx context.Context, o CompleteOptions) (CompleteReport, error) {
	report := CompleteReport{
		Schema: 1, Split: w.Plan.Split, Began: time.Now().UTC(), By: cmp.Or(o.By, w.opts.Actor), Reason: o.Reason, Confirm: o.Confirm, Kept: o.KeepData,
		Tables: []string{},
	}
	source, target, err := w.states(ctx)
	if err != nil {
		return report, err
	}
	report.Refused = w.refused(source, target)
	if target.Move != "" {
		report.Last = w.tables(target)
	}
	old, ok := w.Source.(dialect.Retirer)
	if !ok {
		return report, program.Fail(program.Refused, "remove the tables by hand", "the tables of %s cannot be retired by this program", w.Source.Info().Name)
	}
	switch state.Of(source, target) {
	case state.Planned:
		return report, w.completed(ctx)
	default:
		against, err := w.AgainstComplete(ctx, o)
		if err != nil {
			return report, err
		}
		if len(against) > 0 {
			return report, program.Fail(program.Refused, "", "complete of split %s is refused: %w", w.Plan.Split, errors.Join(against...))
		}
		if err := old.Keep(ctx, w.From.Move, o.KeepData); err != nil {
			return report, err
		}
	}
	step := o.Step
	if step == nil {
		step = func(string) {}
	}
	if target.Move != "" { // without its log and capture, nothing leads back
		if err := w.lastLoose(ctx); err != nil {
			return report, err
		}
		step("before the target is released")
		if err := w.To.Remove(ctx, w.To.Move, dialect.RemoveOptions{}); err != nil {
			return report, err
		}
	}
	if err := w.retire(ctx, old, &report, step); err != nil {
		return report, err
	}
	step("before the source is released")
	if err := w.From.Remove(ctx, w.From.Move, dialect.RemoveOptions{}); err != nil {
		return report, err
	}
	step("after the source is released")
	report.Until = time.Now().UTC()
	w.note(ctx, "complete", report)
	return report, nil
}

// lastLoose carries over which rows are gone that the tables refer to: from here on nobody
// does.
func (w *Work) lastLoose(ctx context.Context) error {
	way, err := w.Backward(ctx)
	if err != nil {
		return err
	}
	for range 1000 {
		if n, err := way.Loose(ctx); err != nil || n == 0 {
			return err
		}
	}
	return nil // somebody deletes faster
}

// retire puts the source's tables away, a few rows at a time.
func (w *Work) retire(ctx context.Context, old dialect.Retirer, report *CompleteReport, step func(string)) error {
	step("before the tables are renamed")
	if err := old.Retire(ctx, w.From.Move, w.Plan.TableNames()); err != nil {
		return err
	}
	for _, table := range w.Plan.TableNames() {
		report.Tables = append(report.Tables, old.Retired(table))
		if report.Kept {
			continue
		}
		for limit := firstChunk; ; {
			step("before rows are deleted")
			began := time.Now()
			n, err := old.Shrink(ctx, w.From.Move, table, limit)
			if err != nil {
				return err
			}
			report.Rows += n
			if n < int64(limit) {
				break
			}
			took := time.Since(began)
			limit = adapt(limit, took, shrinkFor)
			if err := pause.For(ctx, took); err != nil { // as long for others as for this
				return err
			}
		}
		step("before a table is dropped")
		if err := old.Discard(ctx, w.From.Move, table); err != nil {
			return err
		}
	}
	return nil
}

// completed tells a move that is complete from one that has not begun.
func (w *Work) completed(ctx context.Context) error {
	c, err := w.Source.Catalog(ctx, w.Plan.TableNames())
	if err != nil {
		return err
	}
	if len(c.Missing) == len(w.Plan.Tables) {
		return nil
	}
	return program.Fail(program.Refused, "begin it with: strangler split run "+w.Name(), "split %s has not begun", w.Plan.Split)
}

// A CompletePlan says what Complete would do, and what stands against it.
type CompletePlan struct {
	Schema int          `json:"schema"`
	Split  string       `json:"split"`
	Source dialect.Info `json:"source"`
	Target dialect.Info `json:"target"`
	Tables []string     `json:"tables"`
	Keep   bool         `json:"keep_data"`
	// Against are texts, each with what to do; none: it would be carried out.
	Against []string `json:"against"`
	Next    []string `json:"next_steps"`
}

// PrepareComplete says what Complete would do. It changes nothing.
func (e *Engine) PrepareComplete(ctx context.Context, o CompleteOptions) (*CompletePlan, error) {
	p := &CompletePlan{
		Schema: 1, Split: e.Plan.Split, Source: e.Source.Info(), Target: e.Target.Info(), Tables: e.Plan.TableNames(), Keep: o.KeepData,
		Against: []string{}, Next: []string{"strangler split complete " + e.Name() + flags(o)},
	}
	against, err := e.AgainstComplete(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, a := range against {
		p.Against = append(p.Against, text(a))
	}
	if len(against) > 0 {
		p.Next = []string{"strangler split status " + e.Name()}
	}
	return p, nil
}

// flags are those of the command that does what o says.
func flags(o CompleteOptions) string {
	text := ""
	if o.KeepData {
		text += " --keep-data"
	}
	if o.Confirm {
		text += fmt.Sprintf(" --confirm --reason %q", o.Reason)
	}
	return text
}

// AgainstComplete lists what stands against giving up the way back. It changes nothing.
func (e *Engine) AgainstComplete(ctx context.Context, o CompleteOptions) ([]error, error) {
	w := &Work{Engine: e}
	source, target, err := w.states(ctx)
	if err != nil {
		return nil, err
	}
	switch at := state.Of(source, target); at {
	case state.Planned:
		return nil, nil
	case state.Completing:
		return e.otherwise(ctx, o)
	default:
		if err := state.Check(at, e.Plan.Split, e.Name(), "complete"); err != nil {
			return []error{err}, nil
		}
	}
	var list []error
	if old, ok := e.Source.(dialect.Retirer); ok && !o.Confirm {
		at, err := old.DecidedAt(ctx, e.Plan.Tables[0].Name)
		if err != nil {
			return nil, err
		}
		if left := e.Plan.Limits.Window - time.Since(at); left > 0 {
			list = append(list, fmt.Errorf("the window for a rollback is open for another %s (limits.window is %s): wait, or give --confirm with --reason", left.Round(time.Second), e.Plan.Limits.Window))
		}
	}
	if !o.Confirm {
		list = append(list, e.stillWritten(source)...)
	}
	c, err := e.Source.Catalog(ctx, e.Plan.TableNames())
	if err != nil {
		return nil, err
	}
	list = append(list, stillRead(c)...)
	if o.KeepData {
		list = append(list, e.stillBound(c)...)
	}
	return list, nil
}

// otherwise says that a complete which was interrupted had been given another word about
// the rows: some may be gone, or what was to be kept would go.
func (e *Engine) otherwise(ctx context.Context, o CompleteOptions) ([]error, error) {
	old, ok := e.Source.(dialect.Retirer)
	if !ok {
		return nil, nil
	}
	kept, err := old.Kept(ctx, e.Plan.Split)
	switch {
	case err != nil:
		return nil, err
	case kept && !o.KeepData:
		return []error{errors.New("it was begun with --keep-data: give that again, and drop the tables by hand when you need them no more")}, nil
	case o.KeepData && !kept:
		return []error{errors.New("it was begun without --keep-data, and rows may be gone already: go on without it")}, nil
	}
	return nil, nil
}

// stillBound names foreign keys that a kept table of SQLite would keep, which can be taken
// away only with the table: rows that nobody knows of any more would refuse that others are
// deleted, or would go with them.
func (e *Engine) stillBound(c *schema.Catalog) []error {
	if e.Source.Info().Driver != plan.SQLite {
		return nil
	}
	var list []error
	for _, fk := range c.Cut() {
		if c.Table(fk.Table) == nil { // one that leads here is in the way whatever is kept
			continue
		}
		list = append(list, fmt.Errorf("--keep-data would keep the foreign key of %s to %s (ON DELETE %s), by which the kept rows stop deletions in %s or go with them: leave it out, and copy the rows before: CREATE TABLE %s_kept AS SELECT * FROM %s",
			fk.From(), fk.To(), fk.OnDelete, fk.Parent, fk.Table, fk.Table))
	}
	return list
}

// stillWritten says that an application has not heard of the new owner: without the
// source's tables its writes would fail with an error that no longer names it.
func (e *Engine) stillWritten(source dialect.State) []error {
	ago := time.Since(source.RefusedAt)
	if source.Refused == 0 || ago > e.Plan.Limits.Quiet && !source.RefusedAt.IsZero() || e.Plan.Limits.Quiet == 0 {
		return nil
	}
	last := ", the last " + ago.Round(time.Second).String() + " ago"
	if source.RefusedAt.IsZero() {
		last = ""
	}
	return []error{fmt.Errorf("somebody still writes the tables in the source: %d writes were refused%s (limits.quiet is %s): find out who, or give --confirm with --reason",
		source.Refused, last, e.Plan.Limits.Quiet)}
}

// stillRead names what would break without the source's tables.
func stillRead(c *schema.Catalog) []error {
	var list []error
	for _, fk := range c.Incoming {
		list = append(list, fmt.Errorf("%s in the source refers to %s: take that foreign key away with a migration of the application", fk.From(), fk.To()))
	}
	for _, v := range c.Views {
		list = append(list, fmt.Errorf("view %s in the source reads the tables: drop it with a migration of the application", v.Name))
	}
	for _, t := range c.Triggers {
		list = append(list, fmt.Errorf("trigger %s on %s in the source uses the tables: drop it with a migration of the application", t.Name, t.Table))
	}
	return list
}
