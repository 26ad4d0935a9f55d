package proxyclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// claimed is the body of requests about a hold.
type claimed struct {
	Claim int64  `json:"claim"`
	TTL   string `json:"ttl,omitempty"`
	Wait  string `json:"wait,omitempty"`
}

func (p *Proxies) holdPath() string { return "/-/holds/" + url.PathEscape(p.order.Split) }

// Hold parks new requests of the routes in all proxies, or in none. The holds are
// renewed until Release or Close; Lost tells when one has ended all the same.
func (p *Proxies) Hold(ctx context.Context) error {
	p.stopBeats()
	body := map[string]any{
		"id": p.order.Split, "claim": p.order.Claim, "holder": p.order.Holder, "split": p.order.Split,
		"routes": slices.Concat(p.order.Flip, p.order.Wait), "reads": p.order.Reads,
		"ttl": p.order.TTL.String(), "limit": p.order.Limit.String(), "max_requests": p.order.Requests, "max_bytes": p.order.Bytes,
	}
	err := p.each(func(one *proxy) error {
		return p.call(ctx, one, request{doing: "hold requests", method: http.MethodPost, path: "/-/holds", body: body})
	})
	if err != nil {
		// Also those that failed: an answer may have got lost. What somebody with a higher
		// claim holds stays.
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.opts.Timeout)
		defer cancel()
		_ = p.release(undo)
		return err
	}
	p.startBeats(ctx)
	return nil
}

// A Left is what was still under way at a proxy when a drain gave up.
type Left struct {
	Proxy    string
	Requests int
	Oldest   []Request // at most 20
}

// A Request is one under way.
type Request struct {
	Route string `json:"route"`
	AgeMS int64  `json:"age_ms"`
}

// A DrainError reports requests that did not end in time.
type DrainError struct{ Left []Left }

func (e *DrainError) Error() string {
	var texts []string
	for _, l := range e.Left {
		text := fmt.Sprintf("%d at proxy %s", l.Requests, l.Proxy)
		if len(l.Oldest) > 0 {
			text += fmt.Sprintf(", the oldest of route %s for %s", l.Oldest[0].Route, time.Duration(l.Oldest[0].AgeMS)*time.Millisecond)
		}
		texts = append(texts, text)
	}
	return "requests are still under way: " + strings.Join(texts, "; ")
}

// Drain waits at most for wait until the requests have ended that were under way when
// the hold began. If some have not, the error is a *DrainError.
func (p *Proxies) Drain(ctx context.Context, wait time.Duration) error {
	var mu sync.Mutex
	var left []Left
	err := p.each(func(one *proxy) error {
		var answer struct {
			Drained  bool      `json:"drained"`
			Left     int       `json:"left"`
			Requests []Request `json:"requests"`
		}
		err := p.call(ctx, one, request{
			doing: "drain", method: http.MethodPost, path: p.holdPath() + "/drain",
			body: claimed{Claim: p.order.Claim, Wait: wait.String()}, answer: &answer, wait: wait,
		})
		if err == nil && !answer.Drained {
			mu.Lock()
			defer mu.Unlock()
			left = append(left, Left{one.base, answer.Left, answer.Requests})
		}
		return err
	})
	if err == nil && len(left) > 0 {
		slices.SortFunc(left, func(a, b Left) int { return strings.Compare(a.Proxy, b.Proxy) })
		return &DrainError{left}
	}
	return err
}

// Release lets parked requests go, whoever of this claim or an earlier one parked them.
// A hold that has ended already is no error.
func (p *Proxies) Release(ctx context.Context) error {
	p.stopBeats()
	return p.release(ctx)
}

func (p *Proxies) release(ctx context.Context) error {
	return p.each(func(one *proxy) error {
		err := p.call(ctx, one, request{doing: "release", method: http.MethodDelete, path: p.holdPath(), body: claimed{Claim: p.order.Claim}})
		if errors.Is(err, ErrNoHold) {
			return nil
		}
		return err
	})
}

// beats renew holds until they are stopped.
type beats struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

func (p *Proxies) startBeats(ctx context.Context) {
	if len(p.all) == 0 {
		return
	}
	p.mu.Lock()
	p.lost, p.why = make(chan struct{}), nil
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.beats = &beats{stop: cancel}
	for _, one := range p.all {
		p.beats.done.Go(func() { p.beat(ctx, one) })
	}
}

func (p *Proxies) stopBeats() {
	if p.beats != nil {
		p.beats.stop()
		p.beats.done.Wait()
		p.beats = nil
	}
}

// beat renews the hold of one proxy. It ends when ctx does or the hold is lost: because
// the proxy says so, or because it was not reached for as long as a hold lasts.
func (p *Proxies) beat(ctx context.Context, one *proxy) {
	every := time.NewTicker(p.order.TTL / 4)
	defer every.Stop()
	good := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		began := time.Now()
		within, cancel := context.WithTimeout(ctx, p.order.TTL/2)
		err := p.call(within, one, request{doing: "renew the hold", method: http.MethodPut, path: p.holdPath(), body: claimed{Claim: p.order.Claim, TTL: p.order.TTL.String()}})
		cancel()
		var answered *Error
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			good = began
			continue
		case errors.As(err, &answered) && answered.Status != 0, time.Since(good) >= p.order.TTL:
			p.lose(err)
			return
		}
	}
}

// lose notes that a hold is lost, and why.
func (p *Proxies) lose(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why == nil {
		p.why = err
		close(p.lost)
	}
}

// Lost is closed once a hold has ended that nobody released: requests pass, and the
// switch that relies on it should not go on. Err says why. It is one for each Hold.
func (p *Proxies) Lost() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// Err is why a hold was lost; nil if none was.
func (p *Proxies) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}
