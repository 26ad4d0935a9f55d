// Package fuse ends this process when it is stopped while others wait for it. A process
// that was stopped (Ctrl-Z, SIGSTOP, a debugger, a frozen container) keeps its locks and
// runs no timer of its own, so whoever waits for a lock of a file waits until somebody lets
// it go on. The kernel's timers run meanwhile: one that is put off as long as the process
// runs kills it once it does not. It promises nothing where there are no such timers, which
// is everywhere but on Linux, and it does not end a process that is merely slow.
package fuse

import (
	"cmp"
	"sync"
	"time"
)

// A Fuse belongs to what others may have to wait for. The zero value is ready, and is safe
// for concurrent use.
type Fuse struct {
	// Limit is how long the process may be stopped; 0 means 3 s, as applications of SQLite
	// commonly wait for five.
	Limit time.Duration

	mu   sync.Mutex
	held int
	beat *time.Timer // puts the end off
	kill killer
}

// Hold says that others wait from now on until release is called, once or several times.
func (f *Fuse) Hold() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held++; f.held == 1 {
		f.kill.in(f.limit())
		f.beat = time.AfterFunc(f.limit()/4, f.putOff)
	}
	return sync.OnceFunc(f.release)
}

func (f *Fuse) limit() time.Duration { return cmp.Or(f.Limit, 3*time.Second) }

func (f *Fuse) putOff() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held > 0 {
		f.kill.in(f.limit())
		f.beat.Reset(f.limit() / 4)
	}
}

func (f *Fuse) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held--; f.held == 0 {
		f.beat.Stop()
		f.kill.in(0)
	}
}

// Close gives the kernel's timer back. Nobody may hold the fuse any more.
func (f *Fuse) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kill.close()
}
