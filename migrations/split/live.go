package split

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/migrations/split/control"
)

// Live is what only a running engine knows.
type Live struct {
	At        time.Time     `json:"at"`
	Phase     string        `json:"phase"`                // as in a Status: copying, following, verified or window
	Doing     string        `json:"doing"`                // copying, following, verifying, following back or waiting
	Table     string        `json:"table,omitempty"`      // being copied or compared
	Tables    []TableLive   `json:"tables,omitempty"`     // not on the way back
	Rows      int64         `json:"rows"`                 // copied so far, of all tables
	Total     int64         `json:"total"`                // that there are, about
	Percent   float64       `json:"percent"`              // of the copy; -1: not known
	Guess     bool          `json:"guess"`                // Percent is one
	Rate      int64         `json:"rows_a_second"`        // copied or compared, over the last ten seconds
	ETA       time.Duration `json:"eta,omitempty"`        // until everything is copied; 0: not known
	Applied   int64         `json:"applied"`              // entries of the log since the run began
	Pending   int64         `json:"pending"`              // entries that were not applied when it was last looked, at most 100,000
	LagP50    time.Duration `json:"lag_p50"`              // see transfer.Lag; of the last minute
	LagP99    time.Duration `json:"lag_p99"`              //
	LagMost   time.Duration `json:"lag_most"`             //
	LagOf     int           `json:"lag_changes"`          // the changes that these are of; 0: there were none
	Dirty     int64         `json:"dirty"`                // rows that have changed since they were compared
	Verified  bool          `json:"verified"`             // everything was found equal
	Waiting   string        `json:"waiting,omitempty"`    // why nothing is done
	Throttled string        `json:"throttled,omitempty"`  // why it is not done faster
	Limit     int           `json:"limit_rows_a_second"`  // 0: none
	ChunkRows int           `json:"chunk_rows,omitempty"` // of the next chunk
}

// A TableLive is how far the copy of one table is.
type TableLive struct {
	Name    string  `json:"name"`
	Rows    int64   `json:"rows"`
	Total   int64   `json:"total"`
	Percent float64 `json:"percent"` // -1: not known
	Guess   bool    `json:"guess"`
	Copied  bool    `json:"copied"`
}

// The requests that every run answers.
const (
	AskStatus   = "status"
	AskPause    = "pause"
	AskResume   = "resume"
	AskThrottle = "throttle" // with a Throttle
	AskVerify   = "verify"   // everything once more
	AskAbort    = "abort"    // with AbortOptions; the run ends after that
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
		var o AbortOptions
		if err := json.Unmarshal(q.Data, &o); err != nil {
			return nil, fmt.Errorf("the request is not understood: %w", err)
		}
		if err := r.Abort(ctx, o); err != nil {
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
	r.measure(ctx)
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
