package strangler

import (
	"context"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/balance"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
)

// instanceChanged reports that an instance of a service is left out or taken back.
func (r *registry) instanceChanged(service, instance string, now balance.State) {
	if now == balance.Ejected || now == balance.Down {
		r.log.Warn("instance left out", "service", service, "instance", instance, "state", string(now))
		return
	}
	r.log.Info("instance is back", "service", service, "instance", instance, "state", string(now))
}

func instancesStatus(t *exchange.Target) []admin.Instance {
	if t.Pool == nil {
		return nil
	}
	var all []admin.Instance
	for _, i := range t.Pool.Instances() {
		all = append(all, admin.Instance{URL: i.URL.String(), State: string(i.State())})
	}
	return all
}

// available counts the instances that are asked.
func available(t *exchange.Target) int {
	if t.Pool == nil {
		return len(t.URLs)
	}
	n := 0
	for _, i := range t.Pool.Instances() {
		if s := i.State(); s == balance.Well || s == balance.Easing {
			n++
		}
	}
	return n
}

// A healthWatch asks the instances of services with several whether they are well.
type healthWatch struct {
	current  func() *snapshot
	upcoming map[*balance.Instance]time.Time // when the next check is due
	checks   sync.WaitGroup
}

// How often the watch looks for checks that are due, and for a changed configuration.
const (
	healthIdle = 500 * time.Millisecond
	healthBusy = 50 * time.Millisecond
)

// run blocks until ctx ends and the last check has.
func (h *healthWatch) run(ctx context.Context) {
	h.upcoming = map[*balance.Instance]time.Time{}
	defer h.checks.Wait()
	wait := time.Duration(0)
	for pause.For(ctx, wait) == nil {
		wait = healthIdle
		s, known := h.current(), h.upcoming
		h.upcoming = map[*balance.Instance]time.Time{}
		for n, t := range s.services {
			if u := &s.config.Services[n]; t.Pool != nil && u.Health != "" {
				wait = healthBusy
				h.look(ctx, t, u, known)
			}
		}
	}
}

// look begins the checks of one service that are due.
func (h *healthWatch) look(ctx context.Context, t *exchange.Target, u *config.Upstream, known map[*balance.Instance]time.Time) {
	now := time.Now()
	for n, i := range t.Pool.Instances() {
		due := known[i]
		if due.After(now.Add(u.Checks.Interval)) {
			due = now // the interval has become shorter
		}
		if !now.Before(due) {
			due = now.Add(max(u.Checks.Interval, u.Checks.Timeout)) // one at a time
			h.checks.Go(func() { check(ctx, t, n, u) })
		}
		h.upcoming[i] = due
	}
}

func check(ctx context.Context, t *exchange.Target, n int, u *config.Upstream) {
	limited, cancel := context.WithTimeout(ctx, u.Checks.Timeout)
	defer cancel()
	err := upstream.Probe(limited, t, n, u.Health)
	if ctx.Err() == nil {
		t.Pool.Instances()[n].Checked(err == nil)
	}
}
