package split

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// Live is what only a running engine knows.
type Live struct {
	At        time.Time     `json:"at"`
	Doing     string        `json:"doing"`                // copying, following, verifying or waiting
	Table     string        `json:"table,omitempty"`      // being copied or compared
	Rows      int64         `json:"rows"`                 // copied so far, of all tables
	Total     int64         `json:"total"`                // that there are, about
	Percent   float64       `json:"percent"`              // of the copy
	Guess     bool          `json:"guess"`                // Percent is one
	Rate      int64         `json:"rows_a_second"`        // copied or compared
	ETA       time.Duration `json:"eta,omitempty"`        // until everything is copied; 0: not known
	Applied   int64         `json:"applied"`              // entries of the log since the run began
	Lag       time.Duration `json:"lag"`                  // at most: the age of the oldest change that was not applied
	Dirty     int64         `json:"dirty"`                // rows that have changed since they were compared
	Verified  bool          `json:"verified"`             // everything was found equal
	Waiting   string        `json:"waiting,omitempty"`    // why nothing is done
	Limit     int           `json:"limit_rows_a_second"`  // 0: none
	ChunkRows int           `json:"chunk_rows,omitempty"` // of the next chunk
}

// The requests that every run answers.
const (
	AskStatus   = "status"
	AskPause    = "pause"
	AskResume   = "resume"
	AskThrottle = "throttle" // with a Throttle
	AskVerify   = "verify"   // everything once more
	AskAbort    = "abort"    // the run ends after that
	AskComplete = "complete" // with CompleteOptions; the run ends after that
)

// A Throttle is what a run is asked with to take its time.
type Throttle struct {
	Rows int `json:"rows"` // a second at most; 0: no limit
}

// Ask asks a run for something; it fails with control.ErrNobody if there is none.
func (e *Engine) Ask(ctx context.Context, kind string, data any) (Live, error) {
	var live Live
	if e.opts.Store == nil {
		return live, control.ErrNobody
	}
	b, err := e.opts.Store.Ask(ctx, e.Plan.Split, kind, data)
	if err != nil {
		return live, err
	}
	var reply struct {
		Live
		Error string `json:"error"`
	}
	if err := json.Unmarshal(b, &reply); err != nil {
		return live, fmt.Errorf("the answer to %s: %w", kind, err)
	}
	if reply.Error != "" {
		return live, fmt.Errorf("%s: %s", kind, reply.Error)
	}
	return reply.Live, nil
}

// listen takes what other commands ask until ctx ends. A control file that cannot be read
// stops no move: it is tried again.
func (r *runner) listen(ctx context.Context) {
	for ctx.Err() == nil {
		q, err := r.Lease.Next(ctx)
		if err != nil {
			pause.For(ctx, 200*time.Millisecond) //nolint:errcheck // the loop looks at ctx
			continue
		}
		select {
		case r.asked <- q:
		case <-ctx.Done():
		}
	}
}

// rest waits for d, or until something is asked, and answers what was asked.
func (r *runner) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-r.asked:
			r.reply(ctx, q)
		case <-t.C:
			return
		}
		if d = 0; r.ended {
			return
		}
		t.Reset(d)
	}
}

func (r *runner) reply(ctx context.Context, q *control.Request) {
	reply, err := r.answer(ctx, q)
	if err != nil {
		reply = map[string]string{"error": err.Error()}
	}
	// Whoever asked wants to know, also if the run ends at this moment.
	if err := r.Lease.Reply(context.WithoutCancel(ctx), q, reply); err != nil {
		r.log("could not answer", "split", r.Plan.Split, "request", q.Kind, "error", err.Error())
	}
}

func (r *runner) answer(ctx context.Context, q *control.Request) (any, error) {
	switch q.Kind {
	case AskStatus:
	case AskPause:
		r.paused = "paused by request"
	case AskResume:
		r.paused = ""
	case AskThrottle:
		var t Throttle
		if err := json.Unmarshal(q.Data, &t); err != nil || t.Rows < 0 {
			return nil, fmt.Errorf("throttle: %s is no number of rows", q.Data)
		}
		r.rate, r.due = t.Rows, time.Time{}
	case AskVerify:
		r.verifyAnew()
	case AskAbort:
		if err := r.Abort(ctx); err != nil {
			return nil, err
		}
		r.over("abort")
	case AskComplete:
		reply := r.completeFor(ctx, q)
		r.way = nil
		if reply.Failed == "" || r.completing(ctx) {
			r.over("complete")
		}
		return reply, nil
	default:
		handle := r.o.Handle[q.Kind]
		if handle == nil {
			return nil, fmt.Errorf("the running engine does not know %q", q.Kind)
		}
		reply, err := handle(ctx, r.Work, q)
		r.way = nil // the roles may have been exchanged
		return reply, err
	}
	if r.paused != "" || q.Kind == AskResume {
		r.live.Waiting = r.paused
	}
	r.measure()
	return r.live, nil
}

// verifyAnew lets no comparison count that was made before now.
func (r *runner) verifyAnew() {
	r.o.Verify, r.live.Verified = true, false
	if r.way == nil {
		return
	}
	for table := range r.way.Tables() {
		r.compared[table] = r.way.Progress(table).Passes
	}
}

// watch tells whoever started the run how it goes, at most once a second.
func (r *runner) watch(now bool) {
	if r.o.Watch == nil || !now && time.Since(r.shown) < time.Second {
		return
	}
	r.shown = time.Now()
	r.measure()
	r.o.Watch(r.live)
}

// measure brings the live figures up to date.
func (r *runner) measure() {
	l := &r.live
	l.At, l.Limit, l.ChunkRows, l.Applied, l.Lag = time.Now().UTC(), r.rate, r.rows, r.meter.entries, r.meter.lag()
	l.Rate = r.meter.rate()
	if r.way == nil {
		return
	}
	l.Rows, l.Total, l.Table, l.Doing = 0, 0, "", "following"
	for table := range r.way.Tables() {
		p := r.way.Progress(table)
		l.Rows += p.Rows
		total := r.Survey.Tables[table].Rows
		if p.Copied {
			total = p.Rows
		}
		l.Total += max(total, p.Rows)
		switch name := r.Survey.Tables[table].Name; {
		case !p.Copied && l.Doing != "copying":
			l.Table, l.Doing = name, "copying"
		case p.Copied && l.Doing == "following" && (p.Passes == 0 || p.Verified != nil):
			l.Table, l.Doing = name, "verifying"
		}
	}
	if r.way.To.Move.Role == dialect.Source {
		l.Doing = "following back"
	}
	if l.Waiting != "" {
		l.Doing = "waiting"
	}
	r.estimate()
}

// estimate says how far the copy is; it never says that it is done before it is.
func (r *runner) estimate() {
	l := &r.live
	l.Percent, l.Guess, l.ETA = 100, false, 0
	if r.way.Copied() {
		return
	}
	l.Guess = true
	l.Percent = 0
	if l.Total > 0 {
		l.Percent = min(99, 100*float64(l.Rows)/float64(l.Total))
	}
	if l.Percent >= 1 && l.Rate > 0 {
		l.ETA = (time.Duration(float64(l.Total-l.Rows)/float64(l.Rate)*1000) * time.Millisecond).Round(time.Second)
	}
}

// A meter measures rates and lag.
type meter struct {
	entries int64
	since   time.Time // when rows began to be counted
	rows    int64
	last    int64     // rows a second, of the last whole second
	idle    time.Time // when the log was last found empty
	behind  time.Duration
}

func (m *meter) copied(n int64)   { m.count(n) }
func (m *meter) verified(n int64) { m.count(n) }

func (m *meter) count(n int64) {
	now := time.Now()
	if m.since.IsZero() {
		m.since = now
	}
	m.rows += n
	if d := now.Sub(m.since); d >= time.Second {
		m.last, m.rows, m.since = int64(float64(m.rows)/d.Seconds()), 0, now
	}
}

// applied takes in that n entries have been applied: everything that was written before
// the log was last found empty had been applied then.
func (m *meter) applied(n int) {
	m.entries += int64(n)
	now := time.Now()
	if n == 0 || m.idle.IsZero() {
		m.behind, m.idle = 0, now
		return
	}
	m.behind = now.Sub(m.idle)
	m.idle = now
}

func (m *meter) rate() int64 {
	if m.last > 0 && time.Since(m.since) > 3*time.Second {
		return 0
	}
	return m.last
}

func (m *meter) lag() time.Duration { return m.behind.Round(time.Millisecond) }
