package split

import (
	"context"
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/state"
)

// watch tells whoever started the run how it goes, at most once a second.
func (r *runner) watch(ctx context.Context, now bool) {
	if !now && time.Since(r.shown) < time.Second {
		return
	}
	r.shown = time.Now()
	r.measure(ctx)
	r.remember(ctx, false)
	r.tell(ctx, r.live)
	if r.o.Watch != nil {
		r.o.Watch(r.live)
	}
}

// lagWindow is how far back lags are looked at.
const lagWindow = time.Minute

// measure brings the live figures up to date.
func (r *runner) measure(ctx context.Context) {
	l, counts, lag := &r.live, r.meter.Counts(), r.meter.Lag(lagWindow)
	l.At, l.Limit, l.ChunkRows, l.Applied = time.Now().UTC(), r.rate, r.rows, counts.Entries
	l.LagP50, l.LagP99, l.LagMost, l.LagOf = lag.P50, lag.P99, lag.Most, lag.Changes
	l.Rate = r.speed.of(l.At, counts.Rows+counts.Compared)
	if l.Throttled = ""; l.Limit > 0 {
		l.Throttled = fmt.Sprintf("at most %d rows a second, as asked for", l.Limit)
	}
	if r.way == nil {
		return
	}
	l.Table, l.Tables, l.Doing, l.Phase = "", nil, "following", r.phase()
	for table := range r.way.Tables() {
		t, p := r.tableLive(ctx, table), r.way.Progress(table)
		l.Tables = append(l.Tables, t)
		switch {
		case !p.Copied && l.Doing != "copying":
			l.Table, l.Doing = t.Name, "copying"
		case p.Copied && l.Doing == "following" && (p.Passes == 0 || p.Verified != nil):
			l.Table, l.Doing = t.Name, "verifying"
		}
	}
	if r.way.To.Move.Role == dialect.Source {
		l.Doing, l.Tables, l.Table = "following back", nil, ""
	}
	if l.Waiting != "" {
		l.Doing = "waiting"
	}
	l.estimate()
}

// phase is where the move is, by what this run knows.
func (r *runner) phase() string {
	if r.way.To.Move.Role == dialect.Source {
		return string(state.Window)
	}
	phase := state.Verified
	for table := range r.way.Tables() {
		switch p := r.way.Progress(table); {
		case !p.Copied:
			return string(state.Copying)
		case p.Passes == 0:
			phase = state.Following
		}
	}
	return string(phase)
}

// estimate adds up the tables. It never says that the copy is done before it is.
func (l *Live) estimate() {
	l.Rows, l.Total, l.Percent, l.Guess, l.ETA = 0, 0, 100, false, 0
	copied, known := true, true
	for _, t := range l.Tables {
		l.Rows, l.Total = l.Rows+t.Rows, l.Total+t.Total
		copied, known = copied && t.Copied, known && t.Percent >= 0
		l.Guess = l.Guess || t.Guess
	}
	switch {
	case copied:
	case !known:
		l.Percent = -1
	default:
		l.Percent = min(99, 100*float64(l.Rows)/float64(max(1, l.Total)))
		if l.Percent >= 1 && l.Rate > 0 {
			l.ETA = (time.Duration(float64(l.Total-l.Rows)/float64(l.Rate)*1000) * time.Millisecond).Round(time.Second)
		}
	}
}

// tableLive says how far the copy of a table is: by its number of rows where that was
// counted, else by how far its key has come.
func (r *runner) tableLive(ctx context.Context, table int) TableLive {
	p, known := r.way.Progress(table), r.Survey.Tables[table]
	t := TableLive{Name: known.Name, Rows: p.Rows, Total: p.Rows, Copied: p.Copied, Percent: 100}
	switch fraction := r.fraction(ctx, table); {
	case p.Copied:
		return t
	case known.Exact:
		t.Total = max(known.Rows, p.Rows)
	case p.Cursor == nil:
		t.Total, t.Guess = max(known.Rows, p.Rows), true
	case fraction > 0:
		t.Total, t.Guess = max(p.Rows, int64(float64(p.Rows)/fraction)), true
	case p.Rows < known.Rows:
		t.Total, t.Guess = known.Rows, true
	default: // there are more rows than anybody knew of
		t.Percent, t.Guess = -1, true
		return t
	}
	t.Percent = min(99, 100*float64(p.Rows)/float64(max(1, t.Total)))
	return t
}

// fraction is which part of a table lies before the cursor of its copy; not above 0 if
// that is not known. It is asked for at most once a second.
func (r *runner) fraction(ctx context.Context, table int) float64 {
	p := r.way.Progress(table)
	if p.Copied || p.Cursor == nil || r.Survey.Tables[table].Exact {
		return 0
	}
	if r.reached[table].at.After(time.Now().Add(-time.Second)) {
		return r.reached[table].part
	}
	part := float64(0)
	if snap, err := r.way.From.Snapshot(ctx, r.way.From.Move); err == nil {
		if part, err = snap.Fraction(ctx, r.way.From.Move.Shapes[table], p.Cursor); err != nil {
			part = 0
		}
		snap.Close() //nolint:errcheck // it only read
	}
	if r.reached == nil {
		r.reached = map[int]reach{}
	}
	r.reached[table] = reach{time.Now(), part}
	return part
}

// A reach is how far a copy was, and when.
type reach struct {
	at   time.Time
	part float64
}

// A speed is a rate over the last ten seconds.
type speed struct {
	at []time.Time
	n  []int64
}

// of takes in that n had been done at a time, and returns how many a second that is.
func (s *speed) of(at time.Time, n int64) int64 {
	s.at, s.n = append(s.at, at), append(s.n, n)
	for len(s.at) > 2 && at.Sub(s.at[1]) >= 10*time.Second {
		s.at, s.n = s.at[1:], s.n[1:]
	}
	took := at.Sub(s.at[0])
	if took < 50*time.Millisecond {
		return 0
	}
	return int64(float64(n-s.n[0]) / took.Seconds())
}
