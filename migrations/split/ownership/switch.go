package ownership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
)

// Options tune a switch. The zero value is fit for production.
type Options struct {
	Hold     time.Duration // clients wait at most this long before the switch gives up; 0 means 5 s
	Fence    time.Duration // writers wait at most this long; 0 means 100 ms
	Attempts int           // how often to try when one of the two was too short; 0 means 3
	Pause    time.Duration // before the second attempt, doubled before each further one; 0 means 500 ms
	Settle   time.Duration // to undo or finish after an error, also when ctx has ended; 0 means 30 s
	Forward  bool          // finish an unfinished switch instead of undoing it

	// Observe is told when a step begins and ends; nil means nobody.
	Observe func(Event)
}

// A Switch is one change of ownership. Its fields must be set; New does.
type Switch struct {
	Parties
	Options
	To    Owner
	Epoch int64 // of the record that the switch will write
	Flow  Flow
	Gates func(ctx context.Context) error

	Locked Fence // the giver's fence, once the step of that name has been made

	held, began time.Time // when clients and writers began to wait
	report      Report
}

// A Report says how a switch went.
type Report struct {
	To       Owner         `json:"to"`
	Epoch    int64         `json:"epoch"`
	Attempts int           `json:"attempts"`
	Held     time.Duration `json:"held"`   // how long clients waited at most, in the last attempt
	Fenced   time.Duration `json:"fenced"` // how long writers of the giver were kept waiting
}

// ErrOwns reports that the side that should take over owns the tables already.
var ErrOwns = errors.New("owns the tables already")

// New prepares the switch to owner. It settles what an earlier switch left behind
// first, so that exactly one side owns the tables when it returns. The caller has
// claimed both databases.
func New(ctx context.Context, p Parties, to Owner, flow Flow, gates func(context.Context) error, opts Options) (*Switch, error) {
	opts.Hold = cmp.Or(opts.Hold, 5*time.Second)
	opts.Fence = cmp.Or(opts.Fence, 100*time.Millisecond)
	opts.Attempts = cmp.Or(opts.Attempts, 3)
	opts.Pause = cmp.Or(opts.Pause, 500*time.Millisecond)
	opts.Settle = cmp.Or(opts.Settle, 30*time.Second)
	verdict, err := Settle(ctx, p, opts)
	if err != nil {
		return nil, err
	}
	s := &Switch{Parties: p, Options: opts, To: to, Epoch: verdict.Epoch + 1, Flow: flow, Gates: gates}
	if verdict.Owner == to {
		return nil, fmt.Errorf("the %s %w (epoch %d)", to, ErrOwns, verdict.Epoch)
	}
	return s, nil
}

// Run makes the switch. When a step fails, whatever was done is settled from the
// records before it returns, also if ctx has ended: so after an error, too, exactly one
// side owns the tables and no request is parked. If what failed comes after the
// decision, the switch counts as made and only the error of telling the proxies is left.
func (s *Switch) Run(ctx context.Context) (Report, error) {
	s.report = Report{To: s.To}
	for wait := s.Pause; ; wait *= 2 {
		s.report.Attempts++
		s.report.Epoch = s.Epoch
		err := s.attempt(ctx)
		if err == nil {
			return s.report, nil
		}
		if errors.Is(err, ErrClaimLost) {
			return s.report, errors.Join(err, s.unlock())
		}
		verdict, serr := s.settle(ctx)
		if serr != nil {
			return s.report, errors.Join(err, fmt.Errorf("settle after that: %w", serr))
		}
		s.report.Epoch = verdict.Epoch
		if verdict.Owner == s.To {
			return s.report, nil // the decision had been made, and settling finished it
		}
		if s.report.Attempts >= s.Attempts || !again(ctx, err) {
			return s.report, err
		}
		s.Epoch = verdict.Epoch + 1
		if err := pause.For(ctx, wait); err != nil {
			return s.report, err
		}
	}
}

// attempt runs the steps once.
func (s *Switch) attempt(ctx context.Context) error {
	s.Locked, s.held, s.began = nil, time.Time{}, time.Time{}
	for _, step := range Steps() {
		if err := s.do(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// do runs one step within its bound.
func (s *Switch) do(ctx context.Context, step Step) error {
	s.tell(Event{Step: step.Name})
	begin := time.Now()
	if step.Name == "hold" {
		s.held = begin
	}
	ctx, cancel := s.bounded(ctx, step)
	defer cancel()
	err := step.Run(ctx, s)
	if err != nil {
		err = fmt.Errorf("%s: %w", step.Name, err)
		if errors.Is(context.Cause(ctx), ErrTooLong) {
			err = fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
	switch {
	case err == nil && step.Name == "fence":
		s.began = time.Now()
	case err == nil && step.Name == "own" && !s.began.IsZero():
		s.report.Fenced = time.Since(s.began)
	case err == nil && step.Name == "release" && !s.held.IsZero():
		s.report.Held = time.Since(s.held)
	}
	s.tell(Event{Step: step.Name, Done: true, Took: time.Since(begin), Err: err})
	return err
}

// ErrTooLong marks a bound that was reached.
var ErrTooLong = errors.New("gave up, to keep others from waiting longer")

// bounded gives a step the time that its bound leaves. Past the seal the end of ctx does
// not count either: a person who interrupts then would leave everybody waiting.
func (s *Switch) bounded(ctx context.Context, step Step) (context.Context, context.CancelFunc) {
	switch step.Bound {
	case WhileHeld:
		return context.WithDeadlineCause(ctx, s.held.Add(s.Hold), fmt.Errorf("clients were held for %s: %w", s.Hold, ErrTooLong))
	case WhileFenced:
		end := s.began.Add(s.Fence)
		if s.held.Add(s.Hold).Before(end) {
			step.Bound = WhileHeld
			return s.bounded(ctx, step)
		}
		return context.WithDeadlineCause(ctx, end, fmt.Errorf("the tables were fenced for %s: %w", s.Fence, ErrTooLong))
	case Committed:
		return context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(s.Settle, 30*time.Second))
	}
	return context.WithCancel(ctx)
}

// settle ends the fence, if there is one, and settles from the records.
func (s *Switch) settle(ctx context.Context) (Verdict, error) {
	s.unlock() //nolint:errcheck // its error says nothing about what was decided; the records do
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Settle)
	defer cancel()
	return Settle(ctx, s.Parties, s.Options)
}

func (s *Switch) unlock() error {
	if s.Locked == nil {
		return nil
	}
	return s.Locked.Release()
}

// again reports whether an attempt that failed with err is worth another.
func again(ctx context.Context, err error) bool {
	return ctx.Err() == nil && (errors.Is(err, ErrTooLong) || errors.Is(err, ErrPending))
}

func (s *Switch) record() Record { return Record{Owner: s.To, Epoch: s.Epoch} }

func (s *Switch) tell(e Event) {
	if s.Observe != nil {
		s.Observe(e)
	}
}
