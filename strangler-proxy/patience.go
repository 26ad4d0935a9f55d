package strangler

import (
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// patience is how long a client may still keep us waiting for the body of its request.
// It is used up by waiting and comes back with enough bytes, so that a body which comes
// in drops ends as one that does not come at all. Only waiting counts: a client that an
// upstream keeps from sending loses none.
type patience struct {
	limit, left time.Duration
	came        int // bytes, since patience was full
}

// enoughBytes is what a client has to send within its patience: less than a modem did.
const enoughBytes = 4 << 10

func newPatience(limit time.Duration) patience { return patience{limit: limit, left: limit} }

// end is when a wait has to end that begins now.
func (p *patience) end(now wire.Instant) wire.Instant { return now.Add(p.left) }

// waited notes a wait, and how many bytes it has brought.
func (p *patience) waited(since wire.Instant, bytes int) {
	p.left -= time.Duration(wire.Now() - since)
	if p.came += bytes; p.came >= enoughBytes {
		p.left, p.came = p.limit, 0
	}
}
