package split

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/postgres"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// Until says when Run is done.
type Until string

// The ends of a run.
const (
	Stopped    Until = ""         // when it is told to
	ByCopied   Until = "copied"   // when every row has been copied once
	ByVerified Until = "verified" // when everything was found equal, and few rows have changed since
)

// RunOptions tune Run. The zero value runs until it is stopped.
type RunOptions struct {
	Until  Until
	Resync bool   // copy everything anew, after changes may have been missed
	Verify bool   // compare everything once more, whatever was compared before
	Token  string // of the proxies' admin addresses, to report there
	// Watch is called about once a second, and whenever the phase changes.
	Watch func(Live)
	// Handle carries out what other commands ask for; those that Run knows itself come first.
	Handle map[string]func(ctx context.Context, w *Work, r *control.Request) (any, error)
}

// Run copies, follows and compares, from the side that owns the tables to the other. It
// returns nil when ctx ends or what Until says is reached. It waits out what passes: a
// locked database, a full disk, a server that restarts.
func (w *Work) Run(ctx context.Context, o RunOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(w.ctx, func() { cancel(context.Cause(w.ctx)) })
	defer stop()
	if err := outwait(ctx, w.settleHalfway); err != nil {
		return err
	}
	if o.Resync {
		if err := w.Resync(ctx); err != nil {
			return err
		}
	}
	r := &runner{Work: w, o: o, rows: firstChunk, asked: make(chan *control.Request), meter: &transfer.Meter{}}
	w.opts.Transfer.Meter = r.meter
	r.report.By, r.report.Began, r.report.Phases = w.opts.Actor, time.Now().UTC(), []PhaseTime{}
	stopTelling := r.startTelling(ctx)
	var listening sync.WaitGroup
	if w.Lease != nil {
		listening.Go(func() { r.listen(ctx) })
	}
	err := r.run(ctx)
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
		if errors.Is(cause, control.ErrReplaced) {
			err = w.taken(ctx, cause)
		}
	}
	cancel(nil)
	listening.Wait()
	if err != nil {
		r.report.Failed = text(err)
	}
	r.remember(ctx, true)
	w.Did = r.report
	stopTelling()
	return err
}

// A runner is a run.
type runner struct {
	*Work
	o    RunOptions
	way  *transfer.Way
	rows int // of the next chunk

	asked    chan *control.Request // by other commands
	live     Live
	ended    bool          // the move is over
	paused   string        // why nothing is done; empty: it is
	rate     int           // rows a second at most; 0: no limit
	due      time.Time     // when the next chunk may begin
	shown    time.Time     // when Watch was last called
	looked   time.Time     // when the disks were last looked at
	applied  time.Time     // when the log was last empty
	dirtied  time.Time     // when rows were last compared that have changed
	settled  time.Time     // when no row was found gone that others refer to
	unparked map[int]bool  // tables whose indexes are there
	compared map[int]int64 // passes over each table when the run began
	meter    *transfer.Meter
	speed    speed
	reached  map[int]reach // by table
	teller   teller

	report     RunReport
	event      int64     // of the history, that holds it
	noted      time.Time // when it was last written
	complained bool      // that it could not be
}

func (r *runner) run(ctx context.Context) error {
	wait := time.Duration(0)
	for {
		if r.rest(ctx, wait); r.ended {
			return nil
		}
		did, err := r.turn(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && r.atEnd():
			r.watch(ctx, true)
			return outwait(ctx, r.mine)
		case err == nil:
			wait = 0
			if r.live.Waiting != "" && r.paused == "" {
				r.log("goes on", "split", r.Plan.Split)
			}
			r.live.Waiting = r.paused
			if !did {
				wait = r.opts.Poll
			}
		case passes(err):
			wait = min(max(2*wait, 50*time.Millisecond), 2*time.Second)
			if r.live.Waiting == "" {
				r.report.Waits++
				r.log("waits", "split", r.Plan.Split, "reason", err.Error())
			}
			r.live.Waiting = err.Error()
		case isGone(err):
			if err := r.remade(ctx, err); err != nil {
				return err
			}
		default:
			return r.explain(ctx, err)
		}
		r.watch(ctx, false)
	}
}

// remade goes on after somebody dropped a table of the engine, if it can be made anew.
func (r *runner) remade(ctx context.Context, gone error) error {
	from, to := r.From, r.To
	mended, err := r.mend(ctx)
	r.From, r.To = from, to // with the claim
	if err == nil && !mended {
		err = explainGone(gone)
	}
	r.way = nil // it knows how far it was
	return err
}

func (r *runner) log(message string, args ...any) { r.opts.Log.Info(message, args...) }

// outwait does something until what stands in the way has passed, or ctx has ended.
func outwait(ctx context.Context, do func(context.Context) error) error {
	for {
		err := do(ctx)
		if !passes(err) {
			return err
		}
		if pause.For(ctx, 200*time.Millisecond) != nil {
			return err
		}
	}
}

// passes reports whether an error is of the kind that passes by itself.
func passes(err error) bool {
	return errors.Is(err, dialect.ErrBusy) || errors.Is(err, dialect.ErrFull) || postgres.IsAway(err)
}

// explain adds to an error what to do about it, if that is known.
func (w *Work) explain(ctx context.Context, err error) error {
	var lost *dialect.LostError
	var stricter *transfer.StricterError
	var differ *transfer.DifferError
	var twice *transfer.TwiceError
	switch name := w.Name(); {
	case errors.As(err, &lost):
		return program.Fail(program.Refused, "copy everything anew with: strangler split run "+name+" --resync", "capture lost: %w", err)
	case errors.As(err, &differ):
		return program.Fail(program.Differs, "find out who wrote there; copy these rows again with: strangler split verify "+name+" --repair", "%w", err)
	case errors.As(err, &twice):
		return program.Fail(program.Differs, "find out who wrote there; copy everything anew with: strangler split run "+name+" --resync", "%w", err)
	case errors.As(err, &stricter):
		return program.Fail(program.Differs, "make the target's table as lenient as the source's, and run again", "%w", err)
	case errors.Is(err, dialect.ErrClaimLost):
		return w.taken(ctx, err)
	}
	return explainGone(err)
}

// turn does a little of what is to be done and reports whether there was anything.
func (r *runner) turn(ctx context.Context) (bool, error) {
	if r.paused != "" {
		return false, nil
	}
	if r.way == nil {
		way, err := r.Way(ctx)
		if err != nil {
			return false, err
		}
		r.way, r.unparked, r.compared = way, map[int]bool{}, map[int]int64{}
		for table := range way.Tables() {
			r.compared[table] = way.Progress(table).Passes
		}
	}
	if len(r.report.Phases) == 0 {
		r.enter()
	}
	if err := r.room(ctx); err != nil {
		return false, err
	}
	did, err := r.turnWay(ctx)
	if r.enter(); err != nil {
		r.way = nil // what it remembers may not be what is recorded
	}
	return did, err
}

func (r *runner) turnWay(ctx context.Context) (bool, error) {
	did, err := r.apply(ctx)
	if err != nil {
		return did, err
	}
	if table, ok := r.uncopied(); ok {
		return true, r.copy(ctx, table)
	}
	if n, err := r.loose(ctx); err != nil {
		return did, err
	} else if n > 0 {
		did = true
	}
	if done, err := r.unpark(ctx); err != nil || done {
		return true, err
	}
	compared, err := r.verify(ctx)
	return did || compared, err
}

// applyWhileCopying is how often the log is applied while rows are copied. To prune it
// takes the source's lock, and whoever writes there waits for that.
const applyWhileCopying = time.Second

// apply applies what was logged, or a part of it.
func (r *runner) apply(ctx context.Context) (did bool, err error) {
	copied := r.way.Copied()
	if !copied && time.Since(r.applied) < applyWhileCopying {
		return false, nil
	}
	for n, more := 0, true; more && n < 20; n++ { // others may have asked for something
		a, err := r.way.Apply(ctx)
		if err != nil {
			return did, err
		}
		if !a.More {
			r.applied = time.Now()
		}
		did, more = did || a.Entries > 0, a.More && copied
	}
	return did, nil
}

// How often it is looked whether rows are gone that others refer to.
const (
	looseWhileLeading   = 5 * time.Second // nothing but to forget what was logged
	looseWhileFollowing = 200 * time.Millisecond
)

// loose carries over that rows of the source are gone which the tables refer to.
func (r *runner) loose(ctx context.Context) (int, error) {
	every := looseWhileFollowing
	if r.way.From.Move.Role == dialect.Source {
		every = looseWhileLeading
	}
	if time.Since(r.settled) < every {
		return 0, nil
	}
	n, err := r.way.Loose(ctx)
	if err == nil && n == 0 {
		r.settled = time.Now()
	}
	return n, err
}

// atEnd reports whether the run has come to its end.
func (r *runner) atEnd() bool {
	if r.way == nil || !r.way.Copied() || len(r.unparked) < r.way.Tables() {
		return false
	}
	switch r.o.Until {
	case ByCopied:
		return true
	case ByVerified:
		return r.live.Verified && r.live.Dirty <= r.Plan.Limits.Dirty
	}
	return false
}

// Resync lets the side that owns the tables log anew, and begins the copy from the start.
// On the way back nothing is taken away first, for the application reads the source: all
// rows are compared, and those that differ are copied.
func (w *Work) Resync(ctx context.Context) error {
	way, err := w.Way(ctx)
	if err != nil {
		return err
	}
	if err := w.Survey.Err(); err != nil {
		return err
	}
	state, err := way.From.State(ctx, w.Plan.Split)
	if err != nil {
		return err
	}
	if err := role(ctx, way.To, false, state.Record); err != nil {
		return fmt.Errorf("resync: %w", err)
	}
	anew := way.Reset
	if way.To.Move.Role == dialect.Source {
		anew, w.opts.Transfer.Repair = way.Doubt, true
	}
	if err := anew(ctx); err != nil {
		return fmt.Errorf("resync: %w", err)
	}
	if err := role(ctx, way.From, true, state.Record); err != nil {
		return fmt.Errorf("resync: %w", err)
	}
	return nil
}
