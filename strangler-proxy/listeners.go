package strangler

import (
	"context"
	"errors"
	"maps"
	"net"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/handover"
)

func (p *Proxy) bind(ctx context.Context, cfg *config.Config) error {
	public, private := first(p.opts.Listen, cfg.Listen), first(p.opts.Admin, cfg.Admin)
	for name, l := range p.opts.Listeners { // they are where they are
		switch name {
		case handover.Public:
			p.opts.Listen, public = l.Addr().String(), l.Addr().String()
		case handover.Admin:
			p.opts.Admin, private = l.Addr().String(), l.Addr().String()
		}
	}
	for _, address := range []string{public, private} {
		if err := config.CheckAddress(address); err != nil {
			return program.Fail(program.Usage, "give host:port, such as 127.0.0.1:8080", "%w", err)
		}
	}
	tokens, err := p.readTokens(cfg, private)
	if err != nil {
		return &program.Error{Code: program.Usage, Err: err}
	}
	p.tokens.Store(&tokens)
	if err := cfg.CheckLoops(public, private); err != nil {
		return program.Fail(program.Usage, "give the address of the application", "%w", err)
	}
	given, err := p.given(ctx)
	if err != nil {
		return err
	}
	if p.public, err = given.listen(ctx, handover.Public, public); err == nil {
		if p.private, err = given.listen(ctx, handover.Admin, private); err != nil {
			p.public.Close()
		}
	}
	given.all.Close()                                                    // what nobody wanted
	if err == nil && len(tokens) == 0 && !isLoopback(p.private.Addr()) { // a socket from elsewhere
		p.public.Close()
		p.private.Close()
		_, err = p.readTokens(cfg, p.private.Addr().String())
	}
	if err == nil && p.opts.Handover != "" && p.taken == nil {
		err = p.offerSockets()
	}
	if err != nil {
		p.taken.Close()
	}
	return err
}

// given are sockets that others have opened.
type given struct {
	all  handover.Listeners
	must bool // they are used whatever the address
}

// given returns what the process was started with, or else what a predecessor hands over.
func (p *Proxy) given(ctx context.Context) (given, error) {
	if len(p.opts.Listeners) > 0 || p.opts.Handover == "" {
		return given{p.opts.Listeners, true}, nil
	}
	var err error
	if p.taken, err = handover.Take(ctx, p.opts.Handover); err != nil {
		var refused *handover.RefusedError
		if errors.As(err, &refused) {
			return given{}, program.Fail(program.Refused, "wait until it is done", "%w", err)
		}
		return given{}, program.Fail(program.Usage, "stop the program that uses it or name another file", "%w", err)
	}
	if p.taken == nil {
		return given{}, nil
	}
	p.opts.Log.Info("taking over", "from_pid", p.taken.From)
	return given{maps.Clone(p.taken.Listeners), false}, nil
}

// listen takes a socket that fits, or opens one.
func (g given) listen(ctx context.Context, name, address string) (*net.TCPListener, error) {
	if l := g.all[name]; l != nil && (g.must || bound(l, address)) {
		delete(g.all, name)
		return l, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, program.Listen(address, err)
	}
	return l.(*net.TCPListener), nil
}

// succeed makes the predecessor leave, if there is one, and waits for a successor.
func (p *Proxy) succeed() error {
	if p.taken == nil {
		return nil
	}
	if err := p.taken.Serving(); err != nil {
		return program.Fail(program.Refused, "the running process goes on", "%w", err)
	}
	if err := p.offerSockets(); err != nil {
		p.opts.Log.Error("no other process can take over from this one", "err", err)
	}
	return nil
}

func (p *Proxy) offerSockets() error {
	var err error
	p.offer, err = handover.New(p.opts.Handover, handover.Listeners{handover.Public: p.public, handover.Admin: p.private}, p.opts.Log)
	if err != nil {
		return program.Fail(program.Usage, "name another file", "%w", err)
	}
	return nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// needsRestart lists the keys of cfg that differ from what is bound.
func (p *Proxy) needsRestart(cfg *config.Config) []string {
	var keys []string
	if p.opts.Listen == "" && !bound(p.public, cfg.Listen) {
		keys = append(keys, "listen")
	}
	if p.opts.Admin == "" && !bound(p.private, cfg.Admin) {
		keys = append(keys, "admin.listen")
	}
	if !p.doors.fits(p.frontOf(cfg).Limits) {
		keys = append(keys, "limits (for HTTP/2)")
	}
	if cfg.Discovery.StatePath(p.opts.ConfigPath) != p.learned.state {
		keys = append(keys, "discovery.state")
	}
	if p.tracing != cfg.Tracing {
		keys = append(keys, "tracing")
	}
	return keys
}

// bound reports whether l is what listening on address would give.
func bound(l net.Listener, address string) bool {
	want, err := net.ResolveTCPAddr("tcp", address)
	have, ok := l.Addr().(*net.TCPAddr)
	if err != nil || !ok {
		return false
	}
	sameHost := want.IP.Equal(have.IP) || (want.IP == nil || want.IP.IsUnspecified()) && have.IP.IsUnspecified()
	return sameHost && (want.Port == 0 || want.Port == have.Port)
}
