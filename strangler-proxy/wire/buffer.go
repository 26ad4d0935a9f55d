package wire

import "sync"

// Sizes of lent buffers.
const (
	SmallBytes = 16 << 10 // a head with a small body
	LargeBytes = 72 << 10 // a body of 64 KiB with its head, or a part of a larger one
)

var (
	small = sync.Pool{New: func() any { return new([SmallBytes]byte) }}
	large = sync.Pool{New: func() any { return new([LargeBytes]byte) }}
)

// Small lends a buffer of SmallBytes. Return gives it back.
func Small() []byte { return small.Get().(*[SmallBytes]byte)[:] }

// Large lends a buffer of LargeBytes. Return gives it back.
func Large() []byte { return large.Get().(*[LargeBytes]byte)[:] }

// Return takes a lent buffer back. One of another size, such as a grown one, is left
// to the garbage collector.
func Return(b []byte) {
	switch cap(b) {
	case SmallBytes:
		small.Put((*[SmallBytes]byte)(b[:SmallBytes]))
	case LargeBytes:
		large.Put((*[LargeBytes]byte)(b[:LargeBytes]))
	}
}

// A Buffer holds the bytes that have arrived and were not consumed. The zero value
// holds none, and no memory.
type Buffer struct {
	b    []byte
	from int
	to   int
}

// Bytes are the bytes that are there. They hold until the next call of Room or Release.
func (b *Buffer) Bytes() []byte { return b.b[b.from:b.to] }

// Len is their number.
func (b *Buffer) Len() int { return b.to - b.from }

// Lend gives a Buffer that holds no memory a larger one than it would take. Return need
// not be called for it.
func (b *Buffer) Lend(memory []byte) { b.b = memory }

// Consume takes n bytes from the front.
func (b *Buffer) Consume(n int) {
	b.from += n
	if b.from == b.to {
		b.from, b.to = 0, 0
	}
}

// Room returns free space behind the bytes, at least one byte, for Filled to be told
// how much of it was used. The bytes may move.
func (b *Buffer) Room() []byte {
	switch {
	case b.b == nil:
		b.b = Small()
	case b.to == len(b.b) && b.from > 0:
		b.to = copy(b.b, b.b[b.from:b.to])
		b.from = 0
	case b.to == len(b.b):
		grown := make([]byte, 2*len(b.b))
		copy(grown, b.b)
		Return(b.b)
		b.b = grown
	}
	return b.b[b.to:]
}

// LargeRoom is Room, but a Buffer without memory gets a large one: what comes in one
// piece then costs one read and one write.
func (b *Buffer) LargeRoom() []byte {
	if b.b == nil {
		b.b = Large()
	}
	return b.Room()
}

// Filled says that n bytes of the room now hold bytes.
func (b *Buffer) Filled(n int) { b.to += n }

// Release gives the memory back if no bytes are there, and reports whether it did.
func (b *Buffer) Release() bool {
	if b.from != b.to {
		return false
	}
	Return(b.b)
	*b = Buffer{}
	return true
}

// Drop gives the memory back with whatever it holds.
func (b *Buffer) Drop() {
	Return(b.b)
	*b = Buffer{}
}
