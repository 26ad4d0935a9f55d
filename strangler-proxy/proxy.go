// Package strangler is a reverse proxy that stands in front of a monolith and hands
// its endpoints to services, one route and one stage at a time. A route's stage is a
// word in a file; the proxy follows the file while it runs, keeps the last good
// configuration when the file is bad, and lets the monolith answer where a service
// cannot. It never sends a request that changes something twice.
package strangler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/handover"
	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
	"github.com/stranglerfig/toolkit/strangler-proxy/series"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
)

// Options tune a Proxy. Either ConfigPath or Config must be given; the rest may be zero.
type Options struct {
	ConfigPath string         // the file to follow
	Config     *config.Config // a fixed configuration, when there is no file
	Listen     string         // instead of the configuration's
	Admin      string         // instead of the configuration's
	Version    string         // shown in the status
	LookupEnv  func(string) (string, bool)

	Handover  string             // socket file where a running proxy hands its sockets to the next one; empty: none
	Listeners handover.Listeners // opened by somebody else, in place of Listen and Admin; the Proxy owns them

	Log       *slog.Logger // nil discards
	AccessLog bool         // a line for each request, in the form and the place that the configuration says

	AccessOut  io.Writer // where lines go that the configuration sends to no file; nil means os.Stderr
	AccessText bool      // lines are for people if the configuration does not say

	PollEvery      time.Duration // how often the file is looked at; 0 means 500 ms
	DrainLimit     time.Duration // how long requests may go on after the end of Run's context; 0 means 10 s
	HeaderTimeout  time.Duration // instead of the configuration's
	IdleTimeout    time.Duration // instead of the configuration's
	StallTimeout   time.Duration // instead of the configuration's
	ConnectTimeout time.Duration // to an upstream; 0 means 1 s
}

func (o *Options) setDefaults() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&o.PollEvery, 500 * time.Millisecond},
		{&o.DrainLimit, 10 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
}

// A Proxy has its addresses bound and serves while Run runs.
type Proxy struct {
	opts       Options
	current    atomic.Pointer[snapshot]
	registry   *registry
	metrics    *metrics
	front      *front
	forward    *upstream.Forwarder
	doors      *doors
	keeper     *listen.Keeper
	copies     *shadow.Shadow
	learned    *discovery
	tracing    config.Tracing // as it was at the start
	scribe     *scribe
	automation *automation // nil without a file
	splitting  *splitting
	tokens     atomic.Pointer[admin.Tokens]
	started    time.Time
	stopping   atomic.Bool

	public, private *net.TCPListener
	taken           *handover.Taken // from whom they came; nil if from nobody
	offer           *handover.Offer // to whom they may go; nil without Options.Handover

	reloading sync.Mutex // one reload at a time
	mu        sync.Mutex // guards what follows
	fileHash  string     // of the file as last read
	rejected  error      // why that is not in use; nil when it is
}

// New loads the configuration and binds both addresses. A bad configuration or an
// address in use is an error with exit code program.Usage, and nothing stays bound.
func New(ctx context.Context, opts Options) (*Proxy, error) {
	opts.setDefaults()
	p := &Proxy{opts: opts, metrics: newMetrics(), started: time.Now()}
	p.splitting = newSplitting(p)
	p.splitting.finish(ctx) // before the first request
	cfg, hash := opts.Config, ""
	if opts.ConfigPath != "" {
		var err error
		if cfg, hash, err = p.splitting.firstLoad(); err != nil {
			return nil, &program.Error{Code: program.Usage, Err: err}
		}
	}
	if cfg == nil {
		return nil, errors.New("strangler: neither Options.ConfigPath nor Options.Config is given")
	}
	p.fileHash = hash
	p.learned = newDiscovery(opts, cfg)
	p.registry = newRegistry(p.metrics, p.learned.journal, opts.Log, origin.Options{ConnectTimeout: opts.ConnectTimeout})
	p.forward = upstream.New(upstream.Options{InFlight: func() int64 { return p.front.open.Load() }})
	p.copies = shadow.New(&copyNoter{&upstream.Copier{Find: p.side}, p.learned.journal}, shadow.Options{Log: opts.Log})
	copied := shadow.NewCollector(p.copies)
	p.metrics.registry.MustRegister(copied)
	p.metrics.gatherer = series.NewGatherer(p.metrics.registry, p.metrics.routes, copied)
	p.front = &front{
		current: &p.current, metrics: p.metrics, forward: p.forward, copies: p.copies, learned: p.learned, holds: p.splitting.holds, tokens: &p.tokens,
	}
	p.metrics.registry.MustRegister(newConditions(&p.current), newDiscoveryMetrics(p.learned, &p.current), hold.NewCollector(p.splitting.holds), p.splitting, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "strangler_requests_in_flight", Help: "Requests being served, with open streams.",
	}, func() float64 { return float64(p.front.open.Load()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "strangler_fallbacks_in_flight", Help: "Requests that the monolith answers in place of services now.",
	}, func() float64 { return float64(p.forward.Fallbacks()) }))
	certificates, err := listen.LoadCertificates(cfg.Front.TLS)
	if err != nil {
		return nil, program.Fail(program.Usage, "mend the files or take tls out of the configuration", "tls: %w", err)
	}
	p.keeper = listen.NewKeeper(certificates, opts.Log)
	if err := p.openTracer(ctx, cfg); err != nil {
		return nil, program.Fail(program.Usage, "mend tracing.otlp", "%w", err)
	}
	if err := p.openAccessLog(cfg); err != nil {
		p.front.tracer.Close()
		return nil, program.Fail(program.Usage, "name a file that can be written in log.path", "%w", err)
	}
	p.scribe = newScribe(opts, cfg)
	p.metrics.registry.MustRegister(p.panicGauge())
	p.use(cfg, certificates)
	p.splitting.warn(nil, cfg)
	if opts.ConfigPath != "" {
		p.automation = newAutomation(p)
		p.metrics.registry.MustRegister(p.automation)
	}
	if err := p.bind(ctx, cfg); err != nil {
		_ = p.front.access.Close()
		p.front.tracer.Close()
		return nil, err
	}
	p.doors = p.newDoors(p.public, p.frontOf(cfg))
	p.metrics.registry.MustRegister(p.keeper, p.doors)
	return p, nil
}

// Addr is the address that clients connect to.
func (p *Proxy) Addr() net.Addr { return p.public.Addr() }

// AdminAddr is the address of health, metrics and status.
func (p *Proxy) AdminAddr() net.Addr { return p.private.Addr() }

// Close gives the addresses back without serving. It is for a Proxy that is not Run.
func (p *Proxy) Close() {
	p.taken.Close()
	p.offer.Close()
	p.public.Close()
	_ = p.front.access.Close()
	p.front.tracer.Close()
	p.private.Close()
	p.splitting.holds.Close()
	p.copies.Close()
	p.registry.close()
}

// use makes cfg the configuration of every request that begins from now on, and
// certificates those of every connection.
func (p *Proxy) use(cfg *config.Config, certificates *listen.Certificates) *snapshot {
	var version uint64 = 1
	if old := p.current.Load(); old != nil {
		version = old.version + 1
	}
	s := p.registry.snapshot(cfg, version)
	front := p.frontOf(cfg)
	s.limits = front.Limits
	p.configureCopies(cfg)
	p.current.Store(s)
	p.keeper.Use(certificates)
	if p.doors != nil {
		p.doors.Use(front)
	}
	p.learned.journal.Follow(cfg.Table)
	p.metrics.loaded(s)
	return s
}

// Reload reads the file again and takes it over if it is good. Open requests and
// streams go on as they began. The error says why the file was rejected.
func (p *Proxy) Reload() error {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	if p.opts.ConfigPath == "" {
		return errors.New("the proxy runs without a configuration file")
	}
	cfg, hash, err := load(p.opts.ConfigPath, p.opts.LookupEnv, p.splitting.believed)
	if err == nil {
		err = cfg.CheckLoops(p.Addr().String(), p.AdminAddr().String())
	}
	var tokens admin.Tokens
	if err == nil {
		tokens, err = p.readTokens(cfg, p.AdminAddr().String())
	}
	var certificates *listen.Certificates
	if err == nil {
		if certificates, err = listen.LoadCertificates(cfg.Front.TLS); err != nil {
			err = &certificateError{err}
		}
	}
	p.mu.Lock()
	same := err == nil && hash == p.current.Load().config.Hash && sameOwners(cfg, p.current.Load().config)
	known := same && p.rejected == nil
	repeated := err != nil && p.rejected != nil && err.Error() == p.rejected.Error()
	p.fileHash, p.rejected = hash, err
	p.mu.Unlock()
	if err == nil {
		p.tokens.Store(&tokens)
	}
	switch {
	case known:
		p.metrics.reloadGood.Set(1)
	case err != nil:
		p.metrics.reloadGood.Set(0)
		if !repeated {
			p.opts.Log.Error("configuration rejected, the last good one stays in use", "path", p.opts.ConfigPath, "errors", reasons(err))
		}
	case same:
		p.metrics.reloadGood.Set(1)
		p.opts.Log.Info("configuration is good again", "path", p.opts.ConfigPath, "hash", hash)
	default:
		before := p.current.Load()
		p.useAccessLog(cfg) // before the first request of the new configuration
		s := p.use(cfg, certificates)
		p.scribe.notice()
		p.opts.Log.Info("configuration taken over", "path", p.opts.ConfigPath, "version", s.version, "hash", hash, "changes", changes(before.config, cfg))
		p.splitting.warn(before.config, cfg)
		if needs := p.needsRestart(cfg); len(needs) > 0 {
			p.opts.Log.Warn("a part of the configuration takes effect at the next start", "keys", needs)
		}
	}
	if problem := p.keeper.Look(); problem != nil {
		p.opts.Log.Error("certificate rejected, the last good one stays in use", "err", problem)
	}
	return err
}

// Run serves until ctx ends or another process has taken over, then lets the requests in
// flight end, at most for Options.DrainLimit, and returns nil.
func (p *Proxy) Run(ctx context.Context) error {
	defer p.writeAccessLog()()
	defer p.front.tracer.Close()
	defer p.registry.close()
	defer p.copies.Close()
	defer p.splitting.holds.Close()
	private := &http.Server{
		Handler:           admin.Routes(p, p.metrics.gatherer, p.adminOptions()),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(p.opts.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 3)
	var running sync.WaitGroup
	running.Go(func() { failed <- p.doors.run() })
	running.Go(func() { failed <- serve(private, p.private) })
	watch, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	if p.opts.ConfigPath != "" {
		w := &watcher{path: p.opts.ConfigPath, every: p.opts.PollEvery, log: p.opts.Log, torn: p.looksTorn, check: func() { p.catchUp(watch) }}
		running.Go(func() { w.run(watch) })
	}
	running.Go(func() { p.watchCertificates(watch) })
	if p.opts.ConfigPath != "" {
		running.Go(func() { p.scribe.run(watch, func() *config.Config { return p.current.Load().config }) })
		running.Go(func() { p.automation.controller.Run(watch) })
	}
	memory := &relief{busy: func() int { return p.doors.Open() - int(p.front.resting.Load()) + int(p.front.open.Load()) }}
	running.Go(func() { memory.run(watch) })
	health := &healthWatch{current: p.current.Load}
	running.Go(func() { health.run(watch) })
	stopLearning := p.learned.start(ctx)
	defer stopLearning() // after the last request
	err := p.succeed()
	if err != nil {
		failed <- err
	}
	select {
	case err = <-failed:
		p.doors.abort()
	case <-ctx.Done():
		p.offer.Close()
		p.drain(lastCall, lastRound)
	case <-p.offer.Taken():
		stopWatching() // the successor acts on the file now
		_ = p.private.Close()
		p.drain(0, p.opts.DrainLimit/2)
	}
	stopWatching()
	_ = private.Close()
	p.offer.Close()
	running.Wait()
	return err
}

func serve(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}
