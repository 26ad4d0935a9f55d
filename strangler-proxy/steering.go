package strangler

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

// A scribe notes in the audit log what somebody changed in the file itself. It works
// beside the reload: however long the log is locked, a change takes effect at once.
type scribe struct {
	file    *steer.File
	noted   *config.Config // what the log has been brought to
	changed chan struct{}  // holds at most one notice
	failed  func(error)
}

// newScribe returns a scribe for a proxy that begins with the configuration first.
func newScribe(opts Options, first *config.Config) *scribe {
	return &scribe{
		file:  steer.New(opts.ConfigPath, steer.Options{LookupEnv: opts.LookupEnv}),
		noted: first, changed: make(chan struct{}, 1),
		failed: func(err error) {
			opts.Log.Warn("a change of the configuration is not in the audit log", "path", opts.ConfigPath, "err", err)
		},
	}
}

// panicGauge says whether every route is on the monolith because of a panic.
func (p *Proxy) panicGauge() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "strangler_panic", Help: "1 while every route is on the monolith because of a panic, else 0.",
	}, func() float64 {
		if p.current.Load().config.Panic != "" {
			return 1
		}
		return 0
	})
}

// notice says that another configuration was taken over.
func (s *scribe) notice() {
	select {
	case s.changed <- struct{}{}:
	default: // it will be seen with the one before
	}
}

// noteLimit is how long the scribe waits for others who write the log.
const noteLimit = 10 * time.Second

// run notes until ctx ends; what was taken over by then is noted still. current is the
// configuration in use.
func (s *scribe) run(ctx context.Context, current func() *config.Config) {
	s.note(ctx, nil) // what changed while no proxy ran
	for {
		select {
		case <-ctx.Done():
			select {
			case <-s.changed:
				s.note(context.WithoutCancel(ctx), s.noted)
			default:
			}
			return
		case <-s.changed:
		}
		now := current()
		s.note(ctx, s.noted)
		s.noted = now
	}
}

func (s *scribe) note(ctx context.Context, before *config.Config) {
	ctx, cancel := context.WithTimeout(ctx, noteLimit)
	defer cancel()
	if err := s.file.NoteByHand(ctx, before); err != nil && ctx.Err() == nil {
		s.failed(err)
	}
}
