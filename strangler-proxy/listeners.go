package strangler

import (
	"context"
	"net"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func (p *Proxy) bind(ctx context.Context, cfg *config.Config) error {
	public, private := first(p.opts.Listen, cfg.Listen), first(p.opts.Admin, cfg.Admin)
	for _, address := range []string{public, private} {
		if err := config.CheckAddress(address); err != nil {
			return program.Fail(program.Usage, "give host:port, such as 127.0.0.1:8080", "%w", err)
		}
	}
	if !config.IsLoopback(private) {
		return program.Fail(program.Usage, "use 127.0.0.1:PORT", "the admin address %s is not a loopback address: whoever reaches it controls the proxy", private)
	}
	if err := cfg.CheckLoops(public, private); err != nil {
		return program.Fail(program.Usage, "give the address of the application", "%w", err)
	}
	var err error
	if p.public, err = listenTCP(ctx, public); err != nil {
		return err
	}
	if p.private, err = listenTCP(ctx, private); err != nil {
		p.public.Close()
	}
	return err
}

func listenTCP(ctx context.Context, address string) (*net.TCPListener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, program.Listen(address, err)
	}
	return l.(*net.TCPListener), nil
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
