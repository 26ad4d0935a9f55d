package strangler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
)

// The doors are the ways in for clients: what speaks HTTP/1.1 goes to our own server,
// what speaks HTTP/2 to that of net/http.
type doors struct {
	*listen.Door
	keeper *listen.Keeper
	one    *server
	two    *http.Server
	queue  *listen.Queue
	limits listen.Limits // that two was made with
}

// frontOf says how clients connect while cfg holds.
func (p *Proxy) frontOf(cfg *config.Config) listen.Settings {
	s := cfg.Front
	s.Limits = p.opts.limit(s.Limits)
	return s
}

// limit puts what the options say in the place of what the configuration says.
func (o *Options) limit(l listen.Limits) listen.Limits {
	l.HeaderTimeout = cmp.Or(o.HeaderTimeout, l.HeaderTimeout)
	l.IdleTimeout = cmp.Or(o.IdleTimeout, l.IdleTimeout)
	l.StallTimeout = cmp.Or(o.StallTimeout, l.StallTimeout)
	return l
}

func (p *Proxy) newDoors(l *net.TCPListener, s listen.Settings) *doors {
	d := &doors{keeper: p.keeper, one: newServer(p.front), queue: listen.NewQueue(l.Addr()), limits: s.Limits}
	d.two = listen.NewHTTP2(p.front, s.Limits, p.opts.Log)
	d.Door = listen.NewDoor(l, listen.Handlers{HTTP1: d.one.serve, HTTP2: d.queue.Put}, s, p.keeper, p.opts.Log)
	return d
}

// run serves until the end of shutdown or abort. The error says why it cannot go on.
func (d *doors) run() error {
	ended := make(chan error, 1)
	go func() { ended <- d.two.Serve(d.queue) }()
	err := d.Run()
	if err != nil {
		err = fmt.Errorf("serve %s: %w", d.Addr(), err)
		d.abort()
	}
	if two := <-ended; err == nil && !errors.Is(two, http.ErrServerClosed) && !errors.Is(two, net.ErrClosed) {
		err = fmt.Errorf("serve HTTP/2: %w", two)
	}
	return err
}

// shutdown ends idle connections, and the others with their requests. It returns when
// none is left or ctx ends. Before it, Stop has to have returned.
func (d *doors) shutdown(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { d.one.shutdown(ctx) })
	both.Go(func() { _ = d.two.Shutdown(ctx) })
	both.Wait()
}

// abort breaks off what is left.
func (d *doors) abort() {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	d.Stop(now)
	_ = d.two.Close()
	d.one.abort()
}

// fits reports whether the server for HTTP/2, whose limits are those of its start, keeps l.
func (d *doors) fits(l listen.Limits) bool {
	have := d.limits
	return have.Streams == l.Streams && have.Header == l.Header && have.URL == l.URL &&
		have.HeaderTimeout == l.HeaderTimeout && have.IdleTimeout == l.IdleTimeout && have.StallTimeout == l.StallTimeout
}
