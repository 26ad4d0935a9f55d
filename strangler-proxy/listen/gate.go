package listen

import "sync"

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
