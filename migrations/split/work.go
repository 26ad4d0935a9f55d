package split

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/postgres"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// A Work is an engine that has the right to change a split: it holds the lease on this
// machine, and both databases know its claim. Who began it ends it.
type Work struct {
	*Engine
	Survey   *Survey
	From, To transfer.Side // source and target
	Lease    *control.Lease
	Over     string          // the command that ended the move while Run was at work: abort or complete
	Did      RunReport       // by Run, when it has ended
	holder   string          // of the claim, for people
	ctx      context.Context //nolint:containedctx // ends when somebody else takes over
	cancel   context.CancelCauseFunc
}

// A Mode says what a command needs of a move before it can work on it.
type Mode int

// The modes.
const (
	// Begun refuses a move that has not begun.
	Begun Mode = iota
	// Make begins it: it makes the engine's objects and, if the plan says so, the tables
	// of the target, and lets the source lead and the target follow.
	Make
	// Anew is Make for a run that copies everything anew: it takes a source that is older
	// than the target knows it.
	Anew
	// Any takes what there is, be it half prepared: to remove it.
	Any
)

// Begin takes the lease and claims both databases. doing is the command, for whoever
// wants to do something at the same time.
func (e *Engine) Begin(ctx context.Context, doing string, mode Mode) (*Work, error) {
	w := &Work{Engine: e, holder: control.NewHolder(doing).String()}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	if e.opts.Store != nil {
		lease, err := e.opts.Store.Acquire(ctx, e.Plan.Split, doing, func(err error) { w.cancel(err) })
		var held *control.HeldError
		if errors.As(err, &held) {
			return nil, program.Fail(program.Refused, "wait for it, or stop it", "%w", err)
		}
		if err != nil {
			return nil, err
		}
		w.Lease = lease
	}
	if err := w.begin(ctx, mode); err != nil {
		return nil, errors.Join(err, w.End())
	}
	return w, nil
}

// Context ends when the work has to: with that of Begin, or because somebody else has
// taken over.
func (w *Work) Context() context.Context { return w.ctx }

// End gives the lease back.
func (w *Work) End() error {
	w.cancel(nil)
	if w.Lease == nil {
		return nil
	}
	return w.Lease.Release()
}

func (w *Work) begin(ctx context.Context, mode Mode) error {
	survey, err := w.Engine.Survey(ctx)
	if err != nil {
		return err
	}
	w.Survey = survey
	if _, err := w.mend(ctx); err != nil {
		return err
	}
	source, target, err := w.states(ctx)
	if err != nil {
		return explainGone(err)
	}
	if source.Move == "" && target.Move == "" && mode == Begun {
		return program.Fail(program.Refused, "begin it with: strangler split run "+w.Name(), "split %s has not begun", w.Plan.Split)
	}
	if mode != Any && len(survey.Refuse) > 0 && (!source.Installed || !target.Installed) {
		return survey.Err()
	}
	if mode == Any {
		return w.takeAny(ctx, source, target)
	}
	id, err := w.moveID(source, target)
	if err != nil {
		return err
	}
	claim := max(source.Claim, target.Claim) + 1
	w.sides(id, claim)
	expanded := source.Installed && target.Installed
	if expanded && mode != Anew && source.Claim < target.Claim {
		return w.older()
	}
	if !expanded {
		if mode == Begun {
			return program.Fail(program.Refused, "finish that with: strangler split run "+w.Name(), "split %s has not begun: the databases are only half prepared", w.Plan.Split)
		}
		if err := w.prepare(ctx); err != nil {
			return err
		}
	}
	if err := w.claim(ctx, claim); err != nil || expanded {
		return err
	}
	return w.roles(ctx, source, target)
}

// mend makes anew what somebody dropped of the engine's own tables, and reports whether
// there was anything.
func (w *Work) mend(ctx context.Context) (bool, error) {
	w.sides("", 0)
	mended := false
	for _, s := range []transfer.Side{w.From, w.To} {
		tables, err := s.Mend(ctx, s.Move)
		if err != nil {
			return mended, err
		}
		for _, table := range tables {
			mended = true
			w.opts.Log.Warn("made anew what somebody dropped", "split", w.Plan.Split, "table", table, "database", s.Info().Name)
		}
	}
	return mended, nil
}

// isGone reports whether an error says that somebody dropped a table of the engine.
func isGone(err error) bool { return sqlite.IsGone(err) || postgres.IsGone(err) }

// explainGone says what to do about a table of the engine that cannot be made anew.
func explainGone(err error) error {
	if !isGone(err) {
		return err
	}
	return program.Fail(program.Refused, "put this table of the engine back from a backup, for nobody else knows what stood in it; or end the move with: strangler split abort", "%w", err)
}

// takeAny claims what is there of a move, in whatever state.
func (w *Work) takeAny(ctx context.Context, source, target dialect.State) error {
	claim := max(source.Claim, target.Claim) + 1
	if source.Move != "" && target.Move != "" && source.Move != target.Move {
		_, err := w.moveID(source, target)
		return err
	}
	w.sides(max(source.Move, target.Move), claim)
	if source.Move != "" {
		if err := w.From.Claim(ctx, w.Plan.Split, claim, w.holder); err != nil {
			return err
		}
	}
	if target.Move != "" {
		return w.To.Claim(ctx, w.Plan.Split, claim, w.holder)
	}
	return nil
}

// older refuses a source that is older than the target knows it: the source is claimed
// first, so its claim can never be the lower one.
func (w *Work) older() error {
	return program.Fail(program.Refused, "copy everything anew with: strangler split run "+w.Name()+" --resync",
		"capture lost: %s is older than %s knows it, as if an old copy had been put back", w.Source.Info().Name, w.Target.Info().Name)
}

// claim makes this coordinator the only one that either database lets write.
func (w *Work) claim(ctx context.Context, claim int64) error {
	for _, s := range []transfer.Side{w.From, w.To} {
		state, err := s.State(ctx, w.Plan.Split)
		if err != nil {
			return err
		}
		if state.Claim == claim {
			continue // it was prepared a moment ago
		}
		if err := s.Claim(ctx, w.Plan.Split, claim, w.holder); err != nil {
			return err
		}
	}
	return nil
}

// taken says who has the claim that this coordinator lost, as the databases know: it may
// be on another machine, of which the control file knows nothing.
func (w *Work) taken(ctx context.Context, err error) error {
	var known *program.Error
	if errors.As(err, &known) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	source, target, readErr := w.states(ctx)
	holder := source.Holder
	if target.Claim > source.Claim {
		holder = target.Holder
	}
	if readErr != nil || max(source.Claim, target.Claim) <= w.From.Move.Claim {
		holder = w.leaseholder(ctx) // it has not claimed the databases yet
	}
	if holder == "" {
		return program.Fail(program.Refused, "see what has become of it with: strangler split status "+w.Name(), "%w", err)
	}
	return program.Fail(program.Refused, "only one may work on a split: leave it to that one, or stop it there and give this command again", "%w: it is %s", err, holder)
}

// leaseholder is who else has the lease on this machine; empty if nobody has.
func (w *Work) leaseholder(ctx context.Context) string {
	if w.opts.Store == nil {
		return ""
	}
	h, ok, err := w.opts.Store.Holder(ctx, w.Plan.Split)
	if err != nil || !ok || h.PID == os.Getpid() {
		return ""
	}
	return h.String()
}

// mine makes sure that nobody has taken over. Whoever writes is told by its transaction;
// this is for work that found nothing to write, and is about to say that it is done.
func (w *Work) mine(ctx context.Context) error {
	source, target, err := w.states(ctx)
	if err != nil {
		return err
	}
	if max(source.Claim, target.Claim) > w.From.Move.Claim {
		return w.taken(ctx, fmt.Errorf("split %s: %w", w.Plan.Split, dialect.ErrClaimLost))
	}
	return nil
}

// Err is the error of a plan that cannot be carried out, or nil.
func (s *Survey) Err() error {
	if len(s.Refuse) == 0 {
		return nil
	}
	lines := []string{}
	for _, r := range s.Refuse {
		lines = append(lines, r.String())
	}
	return program.Fail(program.Refused, "", "split %s cannot be carried out:\n  %s", s.Split, strings.Join(lines, "\n  "))
}

func (w *Work) states(ctx context.Context) (source, target dialect.State, err error) {
	if source, err = w.Source.State(ctx, w.Plan.Split); err != nil {
		return source, target, fmt.Errorf("source: %w", err)
	}
	if target, err = w.Target.State(ctx, w.Plan.Split); err != nil {
		return source, target, fmt.Errorf("target: %w", err)
	}
	return source, target, nil
}

// moveID is the move that both databases are part of, or that of one if the other has not
// been prepared yet: the target is prepared first.
func (w *Work) moveID(source, target dialect.State) (string, error) {
	switch {
	case source.Move == "" && target.Move == "":
		id, err := uuid.NewV7()
		return id.String(), err
	case source.Move == target.Move, source.Move == "":
		return target.Move, nil
	case target.Move == "":
		return "", program.Fail(program.Refused, "give the plan the target that it had, or end the move with: strangler split abort "+w.Name(),
			"split %s has begun, but %s holds nothing of it", w.Plan.Split, w.Target.Info().Name)
	}
	return "", program.Fail(program.Refused, "give the plan the databases that it had, or abort one of the moves",
		"source and target are parts of two different moves of split %s (%s and %s)", w.Plan.Split, source.Move, target.Move)
}

// sides makes the moves of both databases.
func (w *Work) sides(id string, claim int64) {
	w.From = transfer.Side{Database: w.Source, Move: dialect.Move{
		Split: w.Plan.Split, ID: id, Role: dialect.Source, Claim: claim, Holder: w.holder, Shapes: w.Survey.from, Loose: w.Survey.loose, Inner: w.Survey.inner, Fence: w.Plan.Limits.Fence,
	}}
	w.To = transfer.Side{Database: w.Target, Move: dialect.Move{
		Split: w.Plan.Split, ID: id, Role: dialect.Target, Claim: claim, Holder: w.holder, Shapes: w.Survey.to, Loose: w.Survey.loose, Inner: w.Survey.innerThere(), Fence: w.Plan.Limits.Fence,
	}}
}

// prepare makes the engine's objects in both databases, and the target's tables. It may
// be repeated after a crash.
func (w *Work) prepare(ctx context.Context) error {
	if err := w.To.Prepare(ctx, w.To.Move); err != nil {
		return err
	}
	if w.Plan.CreateTarget {
		if err := w.To.CreateTables(ctx, w.To.Move, w.Survey.source.Tables); err != nil {
			return err
		}
		if err := w.reread(ctx); err != nil {
			return err
		}
	}
	return w.From.Prepare(ctx, w.From.Move)
}

// roles closes the target before it lets the source log.
func (w *Work) roles(ctx context.Context, source, target dialect.State) error {
	if !target.Installed {
		if err := role(ctx, w.To, false, dialect.Record{Owner: dialect.Source}); err != nil {
			return err
		}
	}
	if !source.Installed {
		return role(ctx, w.From, true, dialect.Record{Owner: dialect.Source})
	}
	return nil
}

// reread surveys again, now that the target's tables are there.
func (w *Work) reread(ctx context.Context) error {
	survey, err := w.Engine.Survey(ctx)
	if err != nil {
		return err
	}
	if err := survey.Err(); err != nil {
		return err
	}
	w.Survey = survey
	w.sides(w.To.Move.ID, w.To.Move.Claim)
	return nil
}

// role lets a side lead or follow.
func role(ctx context.Context, s transfer.Side, leads bool, r dialect.Record) error {
	tx, err := s.Begin(ctx, s.Move)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if leads {
		err = tx.Lead(ctx, r)
	} else {
		err = tx.Follow(ctx, r)
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// Forward is the way from the source to the target, and Backward the opposite.
func (w *Work) Forward(ctx context.Context) (*transfer.Way, error) {
	return transfer.New(ctx, w.From, w.To, w.opts.Transfer)
}

// Backward is the way from the target to the source, while the target owns.
func (w *Work) Backward(ctx context.Context) (*transfer.Way, error) {
	return transfer.New(ctx, w.To, w.From, w.opts.Transfer)
}

// Way is the way from the side that owns the tables to the other.
func (w *Work) Way(ctx context.Context) (*transfer.Way, error) {
	source, target, err := w.states(ctx)
	if err != nil {
		return nil, err
	}
	if slices.Contains([]string{source.Record.Owner, target.Record.Owner}, dialect.Source) {
		return w.Forward(ctx)
	}
	return w.Backward(ctx)
}
