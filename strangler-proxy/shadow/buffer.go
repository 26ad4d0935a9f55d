package shadow

import (
	"sync"
	"sync/atomic"
)

// A budget bounds the bytes that are kept for one side.
type budget struct {
	limit atomic.Int64
	used  atomic.Int64
}

func (b *budget) take(n int) bool {
	if b.used.Add(int64(n)) <= b.limit.Load() {
		return true
	}
	b.used.Add(int64(-n))
	return false
}

const leastBuffer = 4 << 10

// buffers lends memory by size, so that what grew for a large body does not stay
// behind small ones.
type buffers struct{ pools [20]sync.Pool }

// class is the index of the pool of buffers with at least n bytes: powers of two from
// leastBuffer on.
func class(n int) (index, size int) {
	for size = leastBuffer; size < n; size *= 2 {
		index++
	}
	return index, size
}

func (b *buffers) get(n int) []byte {
	i, size := class(n)
	switch p := b.pools[i].Get().(type) {
	case *[leastBuffer]byte:
		return p[:0]
	case *[]byte:
		return (*p)[:0]
	}
	return make([]byte, 0, size)
}

func (b *buffers) put(p []byte) {
	if cap(p) == 0 {
		return
	}
	switch i, size := class(cap(p)); {
	case size != cap(p):
	case size == leastBuffer:
		b.pools[i].Put((*[leastBuffer]byte)(p[:leastBuffer])) // needs no memory of its own
	default:
		large := p // only what is put here costs memory
		b.pools[i].Put(&large)
	}
}

// A kept is a body that grows while it passes, within the budget of its side.
type kept struct {
	bytes []byte
}

// add appends p. It fails when the budget does not allow it; the body is then as before.
func (k *kept) add(p []byte, pool *buffers, b *budget) bool {
	if need := len(k.bytes) + len(p); need > cap(k.bytes) {
		_, size := class(need)
		if !b.take(size - cap(k.bytes)) {
			return false
		}
		grown := append(pool.get(size), k.bytes...)
		pool.put(k.bytes)
		k.bytes = grown
	}
	k.bytes = append(k.bytes, p...)
	return true
}

// free gives the memory back.
func (k *kept) free(pool *buffers, b *budget) {
	b.used.Add(int64(-cap(k.bytes)))
	pool.put(k.bytes)
	k.bytes = nil
}
