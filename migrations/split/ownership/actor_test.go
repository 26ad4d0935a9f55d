package ownership_test

import (
	"context"
	"fmt"

	"github.com/stranglerfig/toolkit/migrations/split/ownership"
)

// An actor is what one coordinator sees of the world: both sides, the flow and the proxy.
type actor struct {
	w    *world
	me   int8
	lim  *limits
	fail int // 0: no fault, 1: fail before the effect, 2: fail after it
	wait bool
	bad  string // a rule that was broken
	made int    // effects that outlive the process
}

func (a *actor) effect(do func()) error {
	if a.fail == 1 {
		return errFault
	}
	a.made++
	do()
	if a.fail == 2 {
		return errFault
	}
	return nil
}

type side struct {
	*actor
	self ownership.Owner
}

func (s side) lost() bool {
	return !s.lim.noClaim && s.w.base(s.self).claim != s.w.workers[s.me].claim
}

func (s side) Record(context.Context) (ownership.Record, error) { return s.w.base(s.self).record, nil }

func (s side) Fence(context.Context) (ownership.Fence, error) {
	b := s.w.base(s.self)
	switch {
	case s.lost():
		return nil, ownership.ErrClaimLost
	case b.fence != 0 && b.fence != s.me+1:
		s.wait = true
		return nil, errFault
	case s.fail != 0:
		return nil, errFault
	}
	if !s.lim.noLock {
		b.fence = s.me + 1
	}
	return fenced{s}, nil
}

func (s side) Own(_ context.Context, r ownership.Record) error {
	if s.lost() {
		return ownership.ErrClaimLost
	}
	return s.effect(func() {
		w := s.w
		w.base(s.self).record = r
		switch other := w.base(s.self.Other()); {
		case r.Owner != s.self:
			s.bad = "a side opened itself for the other"
		case other.log > 0:
			s.bad = "I2: ownership moved with changes that were not applied"
		case other.open(s.self.Other()):
			s.bad = "I1: both sides take writes"
		case r.Epoch < w.opened.Epoch || r.Epoch == w.opened.Epoch && r.Owner != w.opened.Owner:
			s.bad = fmt.Sprintf("I4: %s was opened after %s", r, w.opened)
		}
		w.opened = r
	})
}

type fenced struct{ side }

func (f fenced) gone() bool { return !f.lim.noLock && f.w.base(f.self).fence != f.me+1 }

func (f fenced) Pending(context.Context) (int64, error) {
	switch {
	case f.gone():
		return 0, errFault
	case f.lim.noPending:
		return 0, nil
	}
	return int64(f.w.base(f.self).log), nil
}

func (f fenced) Seal(_ context.Context, r ownership.Record) error {
	if f.gone() {
		return errFault
	}
	b := f.w.base(f.self)
	if f.lost() {
		b.fence = 0
		return ownership.ErrClaimLost
	}
	err := f.effect(func() { b.record = r })
	b.fence = 0
	return err
}

func (f fenced) Release() error {
	if b := f.w.base(f.self); b.fence == f.me+1 {
		b.fence = 0
	}
	return nil
}

type flow struct {
	*actor
	from ownership.Owner
}

func (f flow) Drain(context.Context, ownership.Fence) error {
	if !f.lim.noClaim && f.w.base(f.from.Other()).claim != f.w.workers[f.me].claim {
		return ownership.ErrClaimLost
	}
	f.w.base(f.from).log = 0
	return nil
}
func (f flow) Verify(context.Context, ownership.Fence) error    { return nil }
func (f flow) Sequences(context.Context, ownership.Fence) error { return nil }

type proxy struct{ *actor }

func (p proxy) mine() int8 { return p.w.workers[p.me].claim }

func (p proxy) Hold(context.Context) error {
	if p.w.held > p.mine() {
		return ownership.ErrClaimLost
	}
	return p.effect(func() { p.w.held = p.mine() })
}

func (p proxy) Drain(context.Context) error {
	p.wait = p.w.flying != ""
	if p.wait {
		return errFault
	}
	return nil
}

func (p proxy) Follow(_ context.Context, r ownership.Record) error {
	if r.Epoch < p.w.route.Epoch {
		return errFault
	}
	return p.effect(func() {
		p.w.route = r
		if s := (side{p.actor, r.Owner}); !s.lost() && !p.w.base(r.Owner).open(r.Owner) {
			p.bad = "I7: the routes lead to a side that is not open"
		}
	})
}

func (p proxy) Release(context.Context) error {
	if p.w.held > p.mine() {
		return nil
	}
	return p.effect(func() { p.w.letGo() })
}

func (a *actor) parties() ownership.Parties {
	return ownership.Parties{Source: side{a, source}, Target: side{a, target}, Proxies: proxy{a}}
}
