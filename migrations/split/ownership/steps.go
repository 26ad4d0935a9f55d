package ownership

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// A Step is one step of a switch or of its recovery. It makes at most one change that
// outlives this process, so a crash leaves it either not done or done.
type Step struct {
	Name  string
	Bound Bound // how long it may take, together with the steps before it
	Run   func(ctx context.Context, s *Switch) error
	Does  func(s *Switch) string // for people: what it will do
}

// A Bound limits how long others wait because of a switch.
type Bound int

// The bounds. Past the seal there is none: what is decided gets finished.
const (
	Free        Bound = iota // nobody waits yet
	WhileHeld                // clients wait: everything since the hold
	WhileFenced              // every writer of the giver waits: everything since the fence
	Committed                // the giver is sealed
)

// Steps returns the steps of a switch, in the order that keeps every write:
//
//   - nothing is fenced before the requests on their way have ended, so that none of
//     them meets the fence;
//   - nothing is sealed before the log is empty, which only counts while fenced;
//   - the taker does not open before the giver is sealed: never two owners;
//   - no route changes before the taker is open: nobody is sent to a closed door.
func Steps() []Step {
	return []Step{
		{"gates", Free, gates, says("check that {taker} is ready to take over")},
		{"hold", Free, hold, says("park new requests of the split's routes in the proxies")},
		{"requests", WhileHeld, requests, says("wait for the requests that are on their way")},
		{"fence", WhileHeld, fence, says("lock the tables of {giver} against writes")},
		{"drain", WhileFenced, drain, says("apply the rest of the change log of {giver} to {taker}")},
		{"verify", WhileFenced, verify, says("compare the rows that changed since the last verification")},
		{"sequences", WhileFenced, sequences, says("carry over the high-water marks of generated keys")},
		{"seal", WhileFenced, seal, says("close {giver} for writes (epoch {epoch})")},
		{"own", Committed, own, says("open {taker} for writes: this decides (epoch {epoch})")},
		{"route", Committed, route, says("lead the split's routes to {taker}")},
		{"release", Committed, release, says("let the parked requests go")},
	}
}

func says(text string) func(*Switch) string {
	return func(s *Switch) string {
		return strings.NewReplacer("{giver}", "the "+string(s.To.Other()), "{taker}", "the "+string(s.To), "{epoch}", strconv.FormatInt(s.Epoch, 10)).Replace(text)
	}
}

func gates(ctx context.Context, s *Switch) error {
	if s.Gates == nil {
		return nil
	}
	return s.Gates(ctx)
}

func hold(ctx context.Context, s *Switch) error { return s.Proxies.Hold(ctx) }

func requests(ctx context.Context, s *Switch) error { return s.Proxies.Drain(ctx) }

func fence(ctx context.Context, s *Switch) error {
	f, err := s.side(s.To.Other()).Fence(ctx)
	if err != nil {
		return err
	}
	s.Locked = f
	return nil
}

func drain(ctx context.Context, s *Switch) error { return s.Flow.Drain(ctx, s.Locked) }

func verify(ctx context.Context, s *Switch) error { return s.Flow.Verify(ctx, s.Locked) }

func sequences(ctx context.Context, s *Switch) error { return s.Flow.Sequences(ctx, s.Locked) }

// seal looks at the log once more, in the transaction that it commits: whoever drained
// may have looked before the fence was there.
func seal(ctx context.Context, s *Switch) error {
	switch left, err := s.Locked.Pending(ctx); {
	case err != nil:
		return err
	case left > 0:
		return fmt.Errorf("%w: %d changes of %s are not in %s", ErrPending, left, s.To.Other(), s.To)
	}
	return s.Locked.Seal(ctx, s.record())
}

func own(ctx context.Context, s *Switch) error { return s.side(s.To).Own(ctx, s.record()) }

func route(ctx context.Context, s *Switch) error { return s.Proxies.Follow(ctx, s.record()) }

func release(ctx context.Context, s *Switch) error { return s.Proxies.Release(ctx) }
