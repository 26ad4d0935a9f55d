package split

import (
	"context"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/internal/proxyclient"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// RunEvent is the kind of the events that say what runs did. Each is written anew while the
// run goes on, so a run that was killed has told what it did until a few seconds before.
const RunEvent = "run"

// A RunReport says what one run did.
type RunReport struct {
	By     string      `json:"by,omitempty"` // who started it
	Began  time.Time   `json:"began"`
	Until  time.Time   `json:"until"`            // when this was written
	Ended  bool        `json:"ended"`            // by itself or by a request; else it was killed, or goes on
	Failed string      `json:"failed,omitempty"` // why it ended
	Phases []PhaseTime `json:"phases"`           // that it found or reached, in order
	transfer.Counts
	Waits   int64         `json:"waits"`  // times that something that passes was waited out: a lock, a full disk
	Passes  int64         `json:"passes"` // comparisons of whole tables that found everything equal
	LagP50  time.Duration `json:"lag_p50"`
	LagP99  time.Duration `json:"lag_p99"`
	LagMost time.Duration `json:"lag_most"`
	LagOf   int           `json:"lag_changes"` // the changes that the lags are of, at most 10,000 of the last hour
}

// A PhaseTime says when a phase began, as far as one run knows.
type PhaseTime struct {
	Phase string    `json:"phase"`
	From  time.Time `json:"from"`
}

// enter notes in which phase the run is.
func (r *runner) enter() {
	phase := r.phase()
	from, last := time.Now().UTC(), len(r.report.Phases)-1
	switch {
	case last < 0:
		from = r.report.Began // what it did since then, it did in this phase
	case r.report.Phases[last].Phase == phase:
		return
	}
	r.report.Phases = append(r.report.Phases, PhaseTime{phase, from})
}

// rememberEvery is how often a run writes down what it did.
const rememberEvery = 5 * time.Second

// remember writes down what the run has done. The history is a cache: that it cannot be
// written is said once and stops nothing.
func (r *runner) remember(ctx context.Context, ended bool) {
	if !ended && time.Since(r.noted) < rememberEvery {
		return
	}
	r.noted = time.Now()
	lag := r.meter.Lag(time.Hour)
	r.report.Until, r.report.Ended, r.report.Counts = r.noted.UTC(), ended, r.meter.Counts()
	r.report.LagP50, r.report.LagP99, r.report.LagMost, r.report.LagOf = lag.P50, lag.P99, lag.Most, lag.Changes
	if r.opts.Store == nil {
		return
	}
	e, err := control.NewEvent(r.From.Move.ID, RunEvent, r.report)
	if err == nil {
		e.At = r.report.Began
		r.event, err = r.opts.Store.Amend(context.WithoutCancel(ctx), r.Plan.Split, r.event, e)
	}
	if err != nil && !r.complained {
		r.complained = true
		r.opts.Log.Warn("the history could not be written", "split", r.Plan.Split, "error", err.Error())
	}
}

// tellEvery is how often proxies are told how a move goes.
const tellEvery = 2 * time.Second

// A teller tells the proxies how a move goes, beside the run: a proxy that does not answer
// must not keep it waiting.
type teller struct {
	told    time.Time
	refused RefusedOnSides
	reports chan proxyclient.Report
	done    sync.WaitGroup
}

// startTelling begins to tell proxies, if there are any.
func (r *runner) startTelling(ctx context.Context) (stop func()) {
	if len(r.Plan.Proxies) == 0 {
		return func() {}
	}
	p, err := r.proxies(r.o.Token)
	if err != nil {
		return func() {}
	}
	r.teller.reports = make(chan proxyclient.Report, 1)
	r.teller.done.Go(func() {
		for report := range r.teller.reports {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellEvery)
			p.Report(ctx, report) //nolint:errcheck // it is only shown there; a switch says what is wrong with a proxy
			cancel()
		}
	})
	return func() {
		last := r.progressReport(r.live)
		last.Note = "the engine was stopped; nothing follows the changes until it runs again"
		if r.Over != "" {
			last.Phase, last.Note = r.Over+"d", ""
		}
		select {
		case <-r.teller.reports: // what was not sent yet is old now
		default:
		}
		r.teller.reports <- last
		close(r.teller.reports)
		r.teller.done.Wait()
		p.Close()
	}
}

// tell hands the teller how the move goes, unless it is busy.
func (r *runner) tell(ctx context.Context, l Live) {
	if r.teller.reports == nil || time.Since(r.teller.told) < tellEvery {
		return
	}
	if source, target, err := r.states(ctx); err == nil { // else it is said once more what was known
		r.teller.refused = r.refused(source, target)
	}
	select {
	case r.teller.reports <- r.progressReport(l):
		r.teller.told = time.Now()
	default:
	}
}

func (r *runner) progressReport(l Live) proxyclient.Report {
	source, target := r.teller.refused.Source, r.teller.refused.Target
	last := source.Last
	if target.Last.After(last) {
		last = target.Last
	}
	return proxyclient.Report{
		Phase: phaseOr(l), Percent: max(0, l.Percent), LagMS: float64(l.LagP99.Microseconds()) / 1000,
		Pending: l.Pending, Rows: l.Rows, Of: l.Total, Note: short(l.Waiting),
		RefusedSource: source.Writes, RefusedTarget: target.Writes, RefusedAt: last,
	}
}

func phaseOr(l Live) string {
	if l.Phase == "" {
		return "starting"
	}
	return l.Phase
}

// short keeps a note as short as a proxy takes it.
func short(s string) string {
	const most = 400
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
