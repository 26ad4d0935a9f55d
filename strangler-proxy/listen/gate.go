package listen

import (
	"context"
	"sync"
)

// A gate lets so many connections be open at a time.
type gate struct {
	mu    sync.Mutex
	free  sync.Cond
	open  int
	limit int // 0: any number
	shut  bool
}

func newGate() *gate {
	g := &gate{}
	g.free.L = &g.mu
	return g
}

func (g *gate) full() bool { return g.limit > 0 && g.open >= g.limit }

// room reports whether one more may enter, and whether the gate is open at all.
func (g *gate) room() (there, open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.full(), !g.shut
}

// wait waits for room. It returns false once the gate is closed.
func (g *gate) wait() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.full() && !g.shut {
		g.free.Wait()
	}
	return !g.shut
}

// enter takes the room that the only one who waits has found.
func (g *gate) enter() {
	g.mu.Lock()
	g.open++
	g.mu.Unlock()
}

func (g *gate) leave() {
	g.mu.Lock()
	g.open--
	g.mu.Unlock()
	g.free.Signal()
}

func (g *gate) allow(limit int) {
	g.mu.Lock()
	g.limit = limit
	g.mu.Unlock()
	g.free.Broadcast()
}

func (g *gate) close() {
	g.mu.Lock()
	g.shut = true
	g.mu.Unlock()
	g.free.Broadcast()
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// pending is the set of connections whose protocol is not known yet.
type pending struct {
	mu    sync.Mutex
	conns map[*Conn]bool
	shut  bool
	empty chan struct{} // closed when it is shut and holds nothing
}

func newPending() *pending { return &pending{conns: map[*Conn]bool{}, empty: make(chan struct{})} }

// add returns false when it is too late.
func (p *pending) add(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.empty:
		return false
	default:
	}
	p.conns[c] = true
	return true
}

func (p *pending) done(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	p.check()
}

func (p *pending) check() {
	if !p.shut || len(p.conns) > 0 {
		return
	}
	select {
	case <-p.empty:
	default:
		close(p.empty)
	}
}

// end waits until nothing is left, and closes what is left when ctx ends.
func (p *pending) end(ctx context.Context) {
	p.mu.Lock()
	p.shut = true
	p.check()
	p.mu.Unlock()
	select {
	case <-p.empty:
		return
	case <-ctx.Done():
	}
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	<-p.empty
}
