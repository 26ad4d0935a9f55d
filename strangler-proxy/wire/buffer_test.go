package wire_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// Whatever is filled in and consumed, a Buffer holds what a plain slice would.
func TestBufferHoldsWhatCame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var b wire.Buffer
		var want []byte
		next := byte(0)
		if rapid.Bool().Draw(t, "large") {
			b.Lend(wire.Large())
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"fill", "fill all", "fill large", "consume", "release"}).Draw(t, "step") {
			case "fill":
				room := b.Room()
				n := rapid.IntRange(0, min(len(room), 3000)).Draw(t, "n")
				want = append(want, fill(room[:n], &next)...)
				b.Filled(n)
			case "fill all":
				room := b.Room()
				want = append(want, fill(room, &next)...)
				b.Filled(len(room))
			case "fill large":
				room := b.LargeRoom()
				if len(want) == 0 && b.Release() {
					if room = b.LargeRoom(); len(room) != wire.LargeBytes {
						t.Fatalf("a large room has %d bytes", len(room))
					}
				}
				n := rapid.IntRange(1, len(room)).Draw(t, "n")
				want = append(want, fill(room[:n], &next)...)
				b.Filled(n)
			case "consume":
				n := rapid.IntRange(0, len(want)).Draw(t, "n")
				b.Consume(n)
				want = want[n:]
			case "release":
				if b.Release() != (len(want) == 0) {
					t.Fatalf("release with %d bytes", len(want))
				}
			}
			if !bytes.Equal(b.Bytes(), want) || b.Len() != len(want) {
				t.Fatalf("the buffer holds %d bytes, not the %d that came", b.Len(), len(want))
			}
			if len(want) > 64<<10 {
				b.Consume(len(want))
				want = nil
			}
		}
		b.Drop()
	})
}

func fill(room []byte, next *byte) []byte {
	for i := range room {
		room[i] = *next
		*next++
	}
	return room
}

// A buffer is lent to one at a time.
func TestBuffersAreLentOnce(t *testing.T) {
	t.Parallel()
	for range 100 {
		a, b := wire.Small(), wire.Small()
		a[0], b[0] = 1, 2
		if a[0] != 1 {
			t.Fatal("two borrowers have the same buffer")
		}
		wire.Return(a[:10]) // however little of it was used
		wire.Return(b)
	}
	wire.Return(nil)
	wire.Return(make([]byte, 7))
	if n := len(wire.Large()); n != wire.LargeBytes {
		t.Errorf("a large buffer has %d bytes", n)
	}
}
