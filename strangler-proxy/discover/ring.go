package discover

import (
	"sync/atomic"
	"time"
)

// A ring hands requests from the goroutines that serve them to the one that sorts them.
// Nobody waits: what does not fit is refused. It holds copies, so it keeps no request's
// memory alive.
type ring struct {
	slots []slot
	_     [56]byte // head and tail change often, and by different goroutines
	tail  atomic.Uint64
	_     [56]byte
	head  uint64 // of the one reader
}

const (
	ringSlots = 4096 // a power of two
	pathBytes = 256  // longer paths are counted and not looked at
)

// A slot holds one request. Its turn is its number while it is free for the writer that
// takes this number, one more when it is filled, and a round more when it is read.
type slot struct {
	turn   atomic.Uint64
	took   time.Duration
	status uint16
	length uint16
	method int8
	path   [pathBytes]byte
}

func newRing() *ring {
	r := &ring{slots: make([]slot, ringSlots)}
	for i := range r.slots {
		r.slots[i].turn.Store(uint64(i))
	}
	return r
}

// put copies a request into the ring; ok is false when that is full. Now and then it
// asks to wake the reader, who has to be there before the ring is full.
func (r *ring) put(method int, path string, status int, took time.Duration) (ok, wake bool) {
	for {
		at := r.tail.Load()
		s := &r.slots[at%ringSlots]
		switch turn := s.turn.Load(); {
		case turn < at:
			return false, true // not read yet
		case turn > at:
			continue // another writer was faster
		}
		if !r.tail.CompareAndSwap(at, at+1) {
			continue
		}
		s.method, s.status, s.took, s.length = int8(method), uint16(status), took, uint16(len(path))
		copy(s.path[:], path)
		s.turn.Store(at + 1)
		return true, at%(ringSlots/4) == 0
	}
}

// take calls each with the oldest request, if there is one. The path is valid during
// the call only.
func (r *ring) take(each func(method int, path []byte, status int, took time.Duration)) bool {
	s := &r.slots[r.head%ringSlots]
	if s.turn.Load() != r.head+1 {
		return false
	}
	each(int(s.method), s.path[:s.length], int(s.status), s.took)
	s.turn.Store(r.head + ringSlots)
	r.head++
	return true
}
