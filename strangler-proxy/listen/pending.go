package listen

import (
	"context"
	"sync"
)

// pending counts the connections that were accepted and that no engine knows yet.
type pending struct {
	mu     sync.Mutex
	n      int
	silent map[*Conn]bool // those of them that a client keeps waiting
	shut   bool
	swept  bool          // nobody may stay silent any more
	empty  chan struct{} // closed when it is shut and holds nothing
}

func newPending() *pending { return &pending{silent: map[*Conn]bool{}, empty: make(chan struct{})} }

func (p *pending) add() {
	p.mu.Lock()
	p.n++
	p.mu.Unlock()
}

func (p *pending) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n--
	p.check()
}

// listen notes that c waits for its client, until heard.
func (p *pending) listen(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent[c] = true; p.swept {
		_ = c.Close()
	}
}

func (p *pending) heard(c *Conn) {
	p.mu.Lock()
	delete(p.silent, c)
	p.mu.Unlock()
}

func (p *pending) check() {
	if !p.shut || p.n > 0 {
		return
	}
	select {
	case <-p.empty:
	default:
		close(p.empty)
	}
}

// end waits until nothing is left, and closes what is silent when ctx ends. Nothing may
// be added any more.
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
	p.swept = true
	for c := range p.silent {
		_ = c.Close()
	}
	p.mu.Unlock()
	<-p.empty
}
