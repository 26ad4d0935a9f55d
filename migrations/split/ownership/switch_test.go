package ownership_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/ownership"
)

// A stage is a world with one coordinator, for tests of the order in time.
type stage struct {
	*actor
	events []string
	sw     *ownership.Switch
}

func newStage(t *testing.T, to ownership.Owner, opts ownership.Options, setting ...func(*stage)) *stage {
	t.Helper()
	w := &world{s: base{record: ownership.Record{Owner: source}}, t: base{record: ownership.Record{Owner: source}}, route: ownership.Record{Owner: source}}
	st := &stage{actor: &actor{w: w, lim: &limits{}}}
	for _, set := range setting {
		set(st)
	}
	opts.Observe = func(e ownership.Event) {
		if e.Done && e.Err == nil {
			st.events = append(st.events, e.Step)
		}
	}
	sw, err := ownership.New(t.Context(), st.parties(), to, flow{st.actor, to.Other()}, nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	st.sw = sw
	return st
}

func (st *stage) check(t *testing.T, owner ownership.Owner) {
	t.Helper()
	w := st.w
	if w.s.record.Owner != owner || w.t.record.Owner != owner || w.held != 0 || w.s.fence+w.t.fence != 0 || st.bad != "" {
		t.Errorf("the %s should own everything and nobody be held: %+v %s", owner, w, st.bad)
	}
}

func TestSwitchThereAndBack(t *testing.T) {
	t.Parallel()
	st := newStage(t, target, ownership.Options{})
	report, err := st.sw.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	st.check(t, target)
	var names []string
	for _, s := range ownership.Steps() {
		names = append(names, s.Name)
	}
	if have := st.events[1:]; !slices.Equal(have, names) { // the first is of settling
		t.Errorf("the steps were %v", have)
	}
	if report.Epoch != 1 || report.Attempts != 1 || report.To != target {
		t.Errorf("report: %+v", report)
	}
	if _, err := ownership.New(t.Context(), st.parties(), target, nil, nil, ownership.Options{}); !errors.Is(err, ownership.ErrOwns) {
		t.Errorf("a second switch to the same side: %v", err)
	}
	back, err := ownership.New(t.Context(), st.parties(), source, flow{st.actor, target}, nil, ownership.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := back.Run(t.Context()); err != nil || report.Epoch != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	st.check(t, source)
	if st.w.route != (ownership.Record{Owner: source, Epoch: 2}) {
		t.Errorf("the routes were told %v", st.w.route)
	}
}

func TestRefusedGateChangesNothing(t *testing.T) {
	t.Parallel()
	st := newStage(t, target, ownership.Options{})
	before := *st.w
	refused := errors.New("not verified")
	st.sw.Gates = func(context.Context) error { return refused }
	if _, err := st.sw.Run(t.Context()); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if *st.w != before {
		t.Errorf("it was %+v and is %+v", before, *st.w)
	}
}

// A flow that takes its time: a drain as long as its number says.
type slowFlow struct {
	flow
	takes []time.Duration
}

func (f *slowFlow) Drain(ctx context.Context, fence ownership.Fence) error {
	d := f.takes[0]
	f.takes = f.takes[1:]
	select {
	case <-time.After(d):
		return f.flow.Drain(ctx, fence)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestFenceIsNotKeptLongerThanAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, target, ownership.Options{Fence: 100 * time.Millisecond, Pause: time.Second})
		st.sw.Flow = &slowFlow{flow{st.actor, source}, []time.Duration{time.Hour, 101 * time.Millisecond, 99 * time.Millisecond}}
		began := time.Now()
		report, err := st.sw.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		st.check(t, target)
		if want := 100*time.Millisecond + time.Second + 100*time.Millisecond + 2*time.Second + 99*time.Millisecond; time.Since(began) != want {
			t.Errorf("it took %s, not %s", time.Since(began), want)
		}
		if report.Attempts != 3 || report.Fenced != 99*time.Millisecond || report.Held != 99*time.Millisecond {
			t.Errorf("%+v", report)
		}
	})
}

func TestGivesUpAfterItsAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, target, ownership.Options{Attempts: 2})
		st.sw.Flow = &slowFlow{flow{st.actor, source}, []time.Duration{time.Hour, time.Hour}}
		report, err := st.sw.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "drain: ") || !strings.Contains(err.Error(), "fenced for 100ms") || report.Attempts != 2 {
			t.Fatalf("%+v, %v", report, err)
		}
		st.check(t, source)
	})
}

func TestClientsAreNotHeldLongerThanAllowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t, target, ownership.Options{Hold: time.Second, Attempts: 1})
		p := &slowProxy{proxy: proxy{st.actor}}
		st.sw.Proxies = p
		_, err := st.sw.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "requests: ") || !strings.Contains(err.Error(), "held for 1s") {
			t.Fatal(err)
		}
		st.check(t, source)
	})
}

// A slowProxy has a request on its way that never ends.
type slowProxy struct{ proxy }

func (p *slowProxy) Drain(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Whoever interrupts gets the state before or the state after, at whichever step it is.
func TestInterruptAtEveryStep(t *testing.T) {
	t.Parallel()
	committed := false
	for _, step := range ownership.Steps() {
		ctx, cancel := context.WithCancel(t.Context())
		st := newStage(t, target, ownership.Options{})
		observe := st.sw.Observe
		st.sw.Observe = func(e ownership.Event) {
			observe(e)
			if e.Step == step.Name && !e.Done {
				cancel()
			}
		}
		st.sw.Flow = interruptible{flow{st.actor, source}}
		_, err := st.sw.Run(ctx)
		committed = committed || step.Bound == ownership.Committed
		switch {
		case committed && err != nil:
			t.Errorf("interrupted at %s, past the seal: %v", step.Name, err)
		case committed:
			st.check(t, target)
		case err == nil && st.w.s.record.Owner == source:
			t.Errorf("interrupted at %s: no error, and no switch", step.Name)
		default:
			st.check(t, st.w.s.record.Owner)
		}
		cancel()
	}
}

type interruptible struct{ flow }

func (f interruptible) Drain(ctx context.Context, fence ownership.Fence) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.flow.Drain(ctx, fence)
}

// An error of the proxies past the decision is told, but does not undo it.
func TestProxyThatCannotBeReachedAfterTheDecision(t *testing.T) {
	t.Parallel()
	st := newStage(t, target, ownership.Options{})
	st.sw.Proxies = &deafProxy{proxy{st.actor}}
	report, err := st.sw.Run(t.Context())
	if !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	if report.Epoch != 1 || st.w.s.record.Owner != target || st.w.t.record.Owner != target {
		t.Errorf("the decision was lost: %+v %+v", report, st.w)
	}
	verdict, err := ownership.Settle(t.Context(), st.parties(), ownership.Options{})
	if err != nil || verdict.Owner != target {
		t.Fatalf("%+v, %v", verdict, err)
	}
	st.check(t, target)
}

type deafProxy struct{ proxy }

func (p *deafProxy) Follow(context.Context, ownership.Record) error { return errFault }

func TestDecide(t *testing.T) {
	t.Parallel()
	rec := func(o ownership.Owner, epoch int64) ownership.Record { return ownership.Record{Owner: o, Epoch: epoch} }
	for _, test := range []struct {
		source, target ownership.Record
		forward        bool
		owner          ownership.Owner
		epoch          int64
		halfway, stop  bool
	}{
		{rec(source, 0), rec(source, 0), false, source, 0, false, false},
		{rec(target, 1), rec(target, 1), false, target, 1, false, false},
		{rec(target, 1), rec(source, 0), false, source, 2, true, false},
		{rec(target, 1), rec(source, 0), true, target, 1, true, false},
		{rec(target, 1), rec(source, 2), false, target, 3, true, false},
		{rec(target, 1), rec(source, 2), true, source, 2, true, false},
		{rec(source, 2), rec(source, 2), false, source, 2, false, false},
		{rec(source, 2), rec(source, 0), false, source, 2, false, false},
		{rec(target, 1), rec(target, 3), false, target, 3, false, false},
		{rec(source, 0), rec(target, 1), false, "", 1, false, true},
		{rec(source, 2), rec(target, 1), true, "", 2, false, true},
		{rec(target, 1), rec(source, 1), false, "", 1, false, true},
	} {
		v := ownership.Decide(test.source, test.target, test.forward)
		if v.Owner != test.owner || v.Epoch != test.epoch || v.Halfway != test.halfway || v.Conflict != test.stop {
			t.Errorf("source says %s, target says %s: %+v", test.source, test.target, v)
		}
	}
}

func TestConflictNamesBothRecords(t *testing.T) {
	t.Parallel()
	st := newStage(t, target, ownership.Options{})
	st.w.t.record = ownership.Record{Owner: target, Epoch: 7}
	before := *st.w
	_, err := ownership.Settle(t.Context(), st.parties(), ownership.Options{})
	var conflict *ownership.ConflictError
	if !errors.As(err, &conflict) || !strings.Contains(err.Error(), "target (epoch 7)") || *st.w != before {
		t.Errorf("%v, %+v", err, st.w)
	}
}

func TestPlanSaysEveryStep(t *testing.T) {
	t.Parallel()
	st := newStage(t, target, ownership.Options{})
	plan := ""
	for _, step := range ownership.Steps() {
		plan += step.Does(st.sw) + "\n"
	}
	const want = `check that the target is ready to take over
park new requests of the split's routes in the proxies
wait for the requests that are on their way
lock the tables of the source against writes
apply the rest of the change log of the source to the target
compare the rows that changed since the last verification
carry over the high-water marks of generated keys
close the source for writes (epoch 1)
open the target for writes: this decides (epoch 1)
lead the split's routes to the target
let the parked requests go
`
	if plan != want {
		t.Errorf("the plan is\n%s", plan)
	}
}
