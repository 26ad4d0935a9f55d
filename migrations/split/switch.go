package split

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/proxyclient"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/state"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// SwitchOptions tune Switch. The zero value is fit for production.
type SwitchOptions struct {
	Force   string `json:"force,omitempty"`  // a reason: gates that can be overruled are
	Reason  string `json:"reason,omitempty"` // why, for the history
	By      string `json:"by,omitempty"`     // who asks for it
	Forward bool   `json:"forward,omitempty"`
	Token   string `json:"token,omitempty"` // of the proxies' admin addresses
	// Observe is told of each step; nil means nobody.
	Observe func(ownership.Event) `json:"-"`
}

// A SwitchReport says how a change of owners went.
type SwitchReport struct {
	Schema int    `json:"schema"`
	Split  string `json:"split"`
	ownership.Report
	Began  time.Time  `json:"began"`
	Until  time.Time  `json:"until"`
	By     string     `json:"by,omitempty"`
	Reason string     `json:"reason,omitempty"`
	Forced string     `json:"forced,omitempty"` // why a comparison that was too old did not count
	Failed string     `json:"failed,omitempty"` // why the owner stayed the same
	Steps  []StepTime `json:"steps"`            // of all attempts
}

// A StepTime is how long one step took.
type StepTime struct {
	Step  string        `json:"step"`
	Took  time.Duration `json:"took"`
	Error string        `json:"error,omitempty"`
}

// command is what people call a switch to an owner.
func command(to ownership.Owner) string {
	if to == ownership.Target {
		return "cutover"
	}
	return "rollback"
}

// Switch makes to the owner of the tables: a cut-over to the target, a rollback to the
// source. It settles what an earlier switch left behind, catches up, passes the gates,
// and then takes the steps of package ownership. After an error exactly one side owns
// the tables all the same.
func (w *Work) Switch(ctx context.Context, to ownership.Owner, o SwitchOptions) (SwitchReport, error) {
	report := SwitchReport{Schema: 1, Split: w.Plan.Split, Began: time.Now().UTC(), By: cmp.Or(o.By, w.opts.Actor), Reason: o.Reason, Forced: o.Force, Steps: []StepTime{}}
	report.To = to
	err := w.explainSwitch(ctx, w.switchTo(ctx, to, o, &report))
	report.Until = time.Now().UTC()
	if errors.Is(err, ownership.ErrOwns) || errors.Is(err, dialect.ErrClaimLost) {
		return report, err // nothing happened, or somebody else made it happen
	}
	if err != nil {
		report.Failed = text(err)
	}
	w.note(ctx, command(to), report)
	return report, err
}

func (w *Work) switchTo(ctx context.Context, to ownership.Owner, o SwitchOptions, report *SwitchReport) error {
	p, err := w.proxies(o.Token)
	if err != nil {
		return err
	}
	defer p.Close()
	opts := ownership.Options{
		Hold: w.Plan.Limits.Hold, Fence: w.Plan.Limits.Fence, Forward: o.Forward,
		Observe: func(e ownership.Event) {
			if e.Done {
				step := StepTime{Step: e.Step, Took: e.Took}
				if e.Err != nil {
					step.Error = e.Err.Error()
				}
				report.Steps = append(report.Steps, step)
			}
			if o.Observe != nil {
				o.Observe(e)
			}
		},
	}
	verdict, err := ownership.Settle(ctx, w.parties(p), opts)
	if err != nil {
		return err
	}
	if verdict.Owner == to {
		report.Epoch = verdict.Epoch
		return fmt.Errorf("the %s %w (epoch %d)", to, ownership.ErrOwns, verdict.Epoch)
	}
	report.Steps = []StepTime{}
	way, err := w.catchUp(ctx)
	if err != nil {
		return err
	}
	s, err := ownership.New(ctx, w.parties(p), to, flow{way}, func(ctx context.Context) error {
		if err := settleLoose(ctx, way); err != nil {
			return err
		}
		if err := w.gates(ctx, to, p, o); err != nil {
			return err
		}
		return approach(ctx, way)
	}, opts)
	if err != nil {
		return err
	}
	report.Report, err = s.Run(ctx)
	if err == nil { // else it may be somebody else's switch that was found made
		err = w.mine(context.WithoutCancel(ctx))
	}
	return err
}

// note writes down what happened. The history is a cache: what was decided stands,
// whether it is noted or not.
func (w *Work) note(ctx context.Context, kind string, data any) {
	if w.opts.Store == nil {
		return
	}
	e, err := control.NewEvent(w.From.Move.ID, kind, data)
	if err == nil {
		err = w.opts.Store.Record(context.WithoutCancel(ctx), w.Plan.Split, e)
	}
	if err != nil {
		w.opts.Log.Warn("the history could not be written", "split", w.Plan.Split, "error", err.Error())
	}
}

// Settle finishes or undoes what a switch left behind, and tells the proxies who owns the
// tables. Whoever goes on with a move does it first.
func (w *Work) Settle(ctx context.Context, o SwitchOptions) (ownership.Verdict, error) {
	p, err := w.proxies(o.Token)
	if err != nil {
		return ownership.Verdict{}, err
	}
	defer p.Close()
	v, err := ownership.Settle(ctx, w.parties(p), ownership.Options{Forward: o.Forward, Observe: o.Observe})
	return v, w.explainSwitch(ctx, err)
}

// settleHalfway settles a switch that ended between its two commits: nothing can follow
// while nobody owns the tables.
func (w *Work) settleHalfway(ctx context.Context) error {
	source, target, err := w.states(ctx)
	if err != nil || state.Of(source, target) != state.Sealed {
		return err
	}
	_, err = w.Settle(ctx, SwitchOptions{})
	return err
}

// proxies are those of the plan.
func (w *Work) proxies(token string) (*proxyclient.Proxies, error) {
	var all []proxyclient.Proxy
	for _, u := range w.Plan.Proxies {
		all = append(all, proxyclient.Proxy{URL: u.String(), Token: token})
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return proxyclient.New(all, proxyclient.Order{
		Split: w.Plan.Split, Holder: fmt.Sprintf("strangler split, process %d on %s", os.Getpid(), host), Claim: w.From.Move.Claim,
		Flip: w.Plan.Routes.Flip, Wait: w.Plan.Routes.Wait, Limit: 2 * w.Plan.Limits.Hold,
	}, proxyclient.Options{})
}

// explainSwitch adds to an error of a switch what to do about it.
func (w *Work) explainSwitch(ctx context.Context, err error) error {
	var conflict *ownership.ConflictError
	var known *program.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	switch err = w.explain(ctx, err); {
	case errors.As(err, &known):
		return err
	case errors.As(err, &conflict):
		return program.Fail(program.Refused, "nothing was changed", "split %s: %w", w.Plan.Split, err)
	case errors.Is(err, ownership.ErrClaimLost):
		return w.taken(ctx, err)
	case w.ctx != nil && errors.Is(context.Cause(w.ctx), control.ErrReplaced):
		return w.taken(ctx, fmt.Errorf("%w: %w", context.Cause(w.ctx), err))
	case errors.Is(err, ownership.ErrOwns):
		return err
	}
	again := "give the command again: it goes on from what the databases say"
	if errors.Is(err, ownership.ErrTooLong) {
		again += fmt.Sprintf("; at a calmer moment, or with more time in the plan: limits.fence is %s, limits.hold is %s", w.Plan.Limits.Fence, w.Plan.Limits.Hold)
	}
	return program.Fail(program.Unreachable, again, "%w", err)
}

// allInOne is how many entries of a log one transaction of a fence may apply. The gates
// let no switch begin with more than a few hundred.
const allInOne = 1 << 20

// catchUp applies what is logged and compares what has changed, until little is left, so
// that the fence will be short. It returns a way for the fence itself.
func (w *Work) catchUp(ctx context.Context) (*transfer.Way, error) {
	way, err := w.Way(ctx)
	if err != nil {
		return nil, err
	}
	if err := way.UnparkKeys(ctx); err != nil {
		return nil, w.explainSwitch(ctx, err)
	}
	for round := 0; ; round++ {
		gone, err := way.Loose(ctx)
		if err != nil {
			return nil, w.explainSwitch(ctx, err)
		}
		a, err := way.Apply(ctx)
		if err != nil {
			return nil, w.explainSwitch(ctx, err)
		}
		if (a.More || gone > 0) && round < 10_000 {
			continue
		}
		dirty, err := way.VerifyDirty(ctx, 1000)
		if err != nil {
			return nil, w.explainSwitch(ctx, err)
		}
		if dirty >= 0 && dirty <= w.Plan.Limits.Dirty/10 || round >= 10_000 {
			break
		}
	}
	o := w.opts.Transfer
	o.BatchKeys = allInOne
	return transfer.New(ctx, way.From, way.To, o)
}

// approach brings over what was written while the gates were looked at, so that the fence
// has only the last moment to do. Who writes faster than that is told by the fence.
func approach(ctx context.Context, way *transfer.Way) error {
	const few, rounds = 20, 20 // entries that take no time
	for range rounds {
		a, err := way.Apply(ctx)
		if err != nil {
			return err
		}
		if _, err := way.VerifyDirty(ctx, 1000); err != nil || a.Entries <= few {
			return err
		}
	}
	return nil
}

// settleLoose leaves as little as possible of rows that are gone to the moment of the
// switch: each attempt begins with it.
func settleLoose(ctx context.Context, way *transfer.Way) error {
	if err := way.Sweep(ctx); err != nil {
		return err
	}
	for range 1000 {
		n, err := way.Loose(ctx)
		if err != nil || n == 0 {
			return err
		}
		for more := true; more; {
			a, err := way.Apply(ctx)
			if err != nil {
				return err
			}
			more = a.More
		}
	}
	return nil // somebody deletes faster; the fence will tell
}

// gates refuses a switch that anything stands against, unless a reason to force it was
// given and all of it may be forced.
func (w *Work) gates(ctx context.Context, to ownership.Owner, p *proxyclient.Proxies, o SwitchOptions) error {
	objections, err := w.objections(ctx, to, p, true)
	if err != nil {
		return err
	}
	var left []error
	for _, objection := range objections {
		var soft *staleError
		if o.Force == "" || !errors.As(objection, &soft) {
			left = append(left, objection)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return program.Fail(program.Refused, "", "%s of split %s is refused: %w", command(to), w.Plan.Split, errors.Join(left...))
}

// A staleError is an objection that a person may overrule.
type staleError struct{ text string }

func (e *staleError) Error() string { return e.text }

// objections is everything that stands against a switch. A rehearsal writes in a
// transaction that is rolled back.
func (w *Work) objections(ctx context.Context, to ownership.Owner, p *proxyclient.Proxies, rehearse bool) ([]error, error) {
	source, target, err := w.states(ctx)
	if err != nil {
		return nil, err
	}
	if err := state.Check(state.Of(source, target), w.Plan.Split, w.Name(), command(to)); err != nil {
		return []error{err}, nil
	}
	giver, taker := w.From, w.To
	if to == ownership.Source {
		giver, taker = w.To, w.From
	}
	var list []error
	add := func(err error) {
		if err != nil {
			list = append(list, err)
		}
	}
	if to == ownership.Target {
		list = append(list, w.unverified(target)...)
	}
	if rehearse {
		add(w.backlog(ctx, giver, taker)) // before what takes its time: meanwhile more is written
		if err := taker.Rehearse(ctx, taker.Move); err != nil {
			add(fmt.Errorf("the %s cannot lead: %w", to, err))
		}
	}
	add(w.orphans(ctx, taker))
	if to == ownership.Source {
		add(w.dangling(ctx))
	}
	add(w.space(ctx, giver, taker))
	if _, err := p.Check(ctx, string(to)); err != nil {
		add(err)
	}
	return list, nil
}

// unverified names the tables that were not found equal lately.
func (w *Work) unverified(target dialect.State) []error {
	var list []error
	for _, name := range w.Plan.TableNames() {
		age := time.Since(target.Tables[name].PassedAt)
		if age > w.Plan.Limits.Stale {
			list = append(list, &staleError{fmt.Sprintf("table %s was last compared %s ago, limits.stale is %s: compare it again with: strangler split run %s --until verified",
				name, age.Round(time.Second), w.Plan.Limits.Stale, w.Name())})
		}
	}
	return list
}

func (w *Work) orphans(ctx context.Context, taker transfer.Side) error {
	snap, err := taker.Snapshot(ctx, taker.Move)
	if err != nil {
		return err
	}
	defer snap.Close() //nolint:errcheck // it only read
	rows, err := snap.Orphans(ctx, 3)
	if err == nil && len(rows) > 0 {
		err = fmt.Errorf("rows refer to others that are not there: %v", rows)
	}
	return err
}

// dangling looks, before the source owns the tables again, at the rows of tables that have
// stayed: while the target owned, nothing kept theirs in order when one was deleted there.
func (w *Work) dangling(ctx context.Context) error {
	c, err := w.Source.Catalog(ctx, w.Plan.TableNames())
	if err != nil || len(c.Incoming) == 0 {
		return err
	}
	snap, err := w.From.Snapshot(ctx, w.From.Move)
	if err != nil {
		return err
	}
	defer snap.Close() //nolint:errcheck // it only read
	rows, err := snap.Dangling(ctx, c.Incoming, 3)
	if err == nil && len(rows) > 0 {
		err = &staleError{fmt.Sprintf("rows of tables that stayed refer to rows that were deleted in the target: %s: delete or mend them", strings.Join(rows, "; "))}
	}
	return err
}

// backlog makes sure that the fence will find little to do.
func (w *Work) backlog(ctx context.Context, giver, taker transfer.Side) error {
	most := w.Plan.Limits.Dirty
	given, err := giver.Snapshot(ctx, giver.Move)
	if err != nil {
		return err
	}
	defer given.Close() //nolint:errcheck // it only read
	changes, err := given.LogCount(ctx, max(most+1, mostCounted))
	if err != nil {
		return err
	}
	snap, err := taker.Snapshot(ctx, taker.Move)
	if err != nil {
		return err
	}
	defer snap.Close() //nolint:errcheck // it only read
	dirty, err := snap.DirtyCount(ctx)
	if err != nil {
		return err
	}
	if changes > most || dirty > most {
		return fmt.Errorf("%d changes are not applied and %d rows not compared, limits.dirty is %d: let it catch up, or give it a calmer moment", changes, dirty, most)
	}
	return nil
}

func (w *Work) space(ctx context.Context, sides ...transfer.Side) error {
	for _, s := range sides {
		u, err := s.Usage(ctx)
		if err != nil {
			return err
		}
		if u.Free >= 0 && u.Free < w.Plan.Limits.Disk {
			return fmt.Errorf("the disk of %s has %s free, limits.disk keeps %s: make room", s.Info().Name, size(u.Free), size(w.Plan.Limits.Disk))
		}
	}
	return nil
}

// timeLeft is how long ctx lasts.
func timeLeft(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return 5 * time.Second
	}
	return cmp.Or(max(0, time.Until(end)), time.Millisecond)
}
