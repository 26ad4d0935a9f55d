package split

import (
	"context"
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// Bounds of a chunk. It begins small, because nothing is known of the rows yet.
const (
	firstChunk = 500
	leastChunk = 200
	mostChunk  = 400_000
)

// uncopied is the first table that has not been copied, or whose key is still to be indexed.
func (r *runner) uncopied() (int, bool) {
	for table := range r.way.Tables() {
		if p := r.way.Progress(table); !p.Copied || p.Keyless {
			return table, true
		}
	}
	return 0, false
}

// copy copies a chunk that reads the source for about as long as the plan allows.
func (r *runner) copy(ctx context.Context, table int) error {
	if wait := time.Until(r.due); wait > 0 {
		if err := pause.For(ctx, min(wait, 100*time.Millisecond)); err != nil || time.Now().Before(r.due) {
			return err
		}
	}
	delete(r.unparked, table)
	limit := r.rows
	if r.rate > 0 {
		limit = min(limit, max(1, r.rate/10))
	}
	c, err := r.way.Copy(ctx, table, limit)
	if err != nil {
		return err
	}
	if r.rate > 0 {
		r.due = time.Now().Add(time.Duration(float64(c.Rows) / float64(r.rate) * float64(time.Second)))
	}
	if c.Rows >= int64(limit)/2 {
		r.rows = adapt(limit, c.Took, r.Plan.Limits.Chunk)
	}
	return nil
}

// adapt makes the next chunk larger or smaller, so that it takes about budget. What a chunk
// costs without its rows makes it grow too little, never too much, so it may grow fast.
func adapt(rows int, took, budget time.Duration) int {
	factor := float64(budget) / float64(max(took, time.Microsecond))
	return min(mostChunk, max(leastChunk, int(float64(rows)*min(16, max(0.25, factor)))))
}

// unpark makes the indexes of one table that was copied; it reports whether there was one
// to look at. Where they are there already it does nothing.
func (r *runner) unpark(ctx context.Context) (bool, error) {
	for table := range r.way.Tables() {
		if r.unparked[table] {
			continue
		}
		if err := r.way.Unpark(ctx, table); err != nil {
			return true, err
		}
		r.unparked[table] = true
		return true, nil
	}
	return false, nil
}

// verify compares a few rows: those that have changed since they were compared, and, if
// everything has to be, the next of a table. It reports whether there is more to compare.
func (r *runner) verify(ctx context.Context) (bool, error) {
	table, ok := r.unpassed()
	dirty := r.live.Dirty
	if !ok || dirty > 0 || time.Since(r.dirtied) > time.Second {
		var err error
		if dirty, err = r.way.VerifyDirty(ctx, 200); err != nil {
			return false, err
		}
		r.live.Dirty, r.dirtied = max(dirty, 0), time.Now()
	}
	if ok {
		v, err := r.way.Verify(ctx, table, r.rows)
		if err != nil {
			return false, err
		}
		if v.Passed {
			r.report.Passes++
		}
		if v.Rows >= int64(r.rows)/2 && v.Took > 0 {
			r.rows = adapt(r.rows, v.Took, r.Plan.Limits.Chunk)
		}
		return true, nil
	}
	if r.live.Verified = true; r.o.Resync && r.opts.Transfer.Repair { // from now on a row that differs is an error again
		r.o.Resync, r.opts.Transfer.Repair = false, false
		r.way.EndRepair()
	}
	return dirty > 0, nil
}

// unpassed is the first table that has to be compared as a whole.
func (r *runner) unpassed() (int, bool) {
	for table := range r.way.Tables() {
		if r.pass(table) {
			return table, true
		}
	}
	return 0, false
}

// pass reports whether a table has to be compared as a whole.
func (r *runner) pass(table int) bool {
	p := r.way.Progress(table)
	switch {
	case p.Passes == 0, p.Verified != nil:
		return true
	case r.o.Verify && p.Passes <= r.compared[table]:
		return true
	}
	return time.Since(p.PassedAt) > r.Plan.Limits.Stale/2
}

// room looks now and then whether somebody has taken over, and at the disks: an
// application must never fail because of what the engine writes.
func (r *runner) room(ctx context.Context) error {
	if time.Since(r.looked) < time.Second {
		return nil
	}
	r.looked = time.Now()
	if err := r.mine(ctx); err != nil {
		return err
	}
	if r.way != nil {
		var err error
		if r.live.Pending, err = r.way.Backlog(ctx, mostCounted); err != nil {
			return err
		}
		if r.live.Pending >= mostCounted {
			if err := r.way.UnparkKeys(ctx); err != nil {
				return err
			}
		}
	}
	for _, side := range []transfer.Side{r.From, r.To} {
		u, err := side.Usage(ctx)
		if err != nil {
			return err
		}
		if u.Free < 0 || u.Free >= r.Plan.Limits.Disk { // 0: nothing is kept free
			continue
		}
		name := side.Info().Name
		r.looked = time.Time{} // look again before anything is written
		if side.Move.Role == dialect.Source && u.Free < r.Plan.Limits.Disk/4 {
			return r.giveUp(ctx, u.Free)
		}
		return fmt.Errorf("the disk of %s has %s free, limits.disk keeps %s: %w", name, size(u.Free), size(r.Plan.Limits.Disk), dialect.ErrFull)
	}
	return nil
}

// giveUp takes the engine's triggers and log out of the source before the application's
// own writes find the disk full.
func (r *runner) giveUp(ctx context.Context, free int64) error {
	state, err := r.From.State(ctx, r.Plan.Split)
	if err != nil {
		return err
	}
	if state.Record.Owner == dialect.Source {
		if err := r.Abort(ctx, AbortOptions{Reason: "the disk of the source was nearly full"}); err != nil {
			return err
		}
	}
	return refusedDisk(r.Plan, free)
}

func refusedDisk(p *plan.Plan, free int64) error {
	return fmt.Errorf("the source's disk has only %s free: split %s was aborted, so that the application can go on writing; make room and run it again", size(free), p.Split)
}
