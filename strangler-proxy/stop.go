package strangler

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
)

// How the end goes: for the time of lastCall only /readyz says so, which lets a load
// balancer turn away; then no connection is accepted any more, and each response ends
// its connection, for which clients get the time of lastRound. New connections end
// before kept ones do, because a client that lost its connection would make another.
// After a handover there is no hurry, and no call: whoever connects finds the successor.
const (
	lastCall  = 100 * time.Millisecond
	lastRound = 500 * time.Millisecond
)

func (p *Proxy) drain(call, round time.Duration) {
	p.stopping.Store(true)
	p.opts.Log.Info("stopping", "in_flight", p.front.open.Load(), "limit", p.opts.DrainLimit.String())
	limit, cancel := context.WithTimeout(context.Background(), p.opts.DrainLimit)
	defer cancel()
	_ = pause.For(limit, min(call, p.opts.DrainLimit/2)) // either way it is over
	p.front.lastRound.Store(true)
	last, cancelRound := context.WithTimeout(limit, round)
	defer cancelRound()
	p.doors.Stop(last)
	waitUntilZero(last, &p.front.conns)
	p.doors.shutdown(limit)
	if open := p.front.open.Load(); open > 0 {
		p.opts.Log.Warn("requests broken off at the drain limit", "count", open)
	}
	p.doors.abort()
}

func waitUntilZero(ctx context.Context, n *atomic.Int64) {
	for n.Load() > 0 && pause.For(ctx, 5*time.Millisecond) == nil {
	}
}
