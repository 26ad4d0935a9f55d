package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A load is a stream of requests. At Rate requests a second each is due at its
// own moment, and its latency counts from there: a server that stalls is charged for
// every request that had to wait. Without a rate each connection sends its next
// request as soon as it has the answer.
type load struct {
	Method      string          // GET without
	Rate        int             // requests a second; 0: as many as possible
	Duration    time.Duration   // how long requests are sent
	Connections int             // at most so many at once
	Done        <-chan struct{} // if it is closed, no more requests are sent
	URL         func(i int64) string
	Check       func(res *http.Response) error // nil wants status 200
}

// An outcome is what came of a load.
type outcome struct {
	took      time.Duration
	latencies []time.Duration // of all requests, sorted
	failed    int64
	firstFail error
}

func (o outcome) sent() int { return len(o.latencies) }

func (o outcome) perSecond() float64 { return float64(o.sent()) / o.took.Seconds() }

// percentile returns the latency that p percent of the requests did not exceed.
func (o outcome) percentile(p float64) time.Duration {
	if o.sent() == 0 {
		return 0
	}
	at := int(p/100*float64(o.sent())+0.5) - 1
	return o.latencies[min(max(at, 0), o.sent()-1)]
}

// run sends the load and waits for the last answer.
func (l load) run(ctx context.Context) (outcome, error) {
	client := &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: l.Connections, MaxConnsPerHost: l.Connections, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	var out outcome
	var mu sync.Mutex
	var next atomic.Int64
	var workers sync.WaitGroup
	start := time.Now()
	for range l.Connections {
		workers.Go(func() {
			mine := l.worker(ctx, client, start, &next)
			mu.Lock()
			defer mu.Unlock()
			out.latencies = append(out.latencies, mine.latencies...)
			out.failed += mine.failed
			if out.firstFail == nil {
				out.firstFail = mine.firstFail
			}
		})
	}
	workers.Wait()
	out.took = time.Since(start)
	slices.Sort(out.latencies)
	return out, ctx.Err()
}

// worker sends one request after the other: each takes the next number, waits until
// that is due, and is measured from that moment.
func (l load) worker(ctx context.Context, client *http.Client, start time.Time, next *atomic.Int64) outcome {
	var mine outcome
	for ctx.Err() == nil {
		i := next.Add(1) - 1
		due := time.Now()
		if l.Rate > 0 {
			due = start.Add(time.Duration(i) * time.Second / time.Duration(l.Rate))
			time.Sleep(time.Until(due))
		}
		if due.Sub(start) >= l.Duration || l.done() {
			break
		}
		if err := l.send(ctx, client, i); err != nil {
			mine.failed++
			mine.firstFail = err
		}
		mine.latencies = append(mine.latencies, time.Since(due))
	}
	return mine
}

func (l load) done() bool {
	select {
	case <-l.Done: // never, where there is none
		return true
	default:
		return false
	}
}

func (l load) send(ctx context.Context, client *http.Client, i int64) error {
	req, err := http.NewRequestWithContext(ctx, cmp.Or(l.Method, http.MethodGet), l.URL(i), nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return fmt.Errorf("%s %s: %w", req.Method, req.URL, err)
	}
	if l.Check != nil {
		return l.Check(res)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: status %s", req.Method, req.URL, res.Status)
	}
	return nil
}
