package strangler

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/stranglerfig/toolkit/internal/pause"
)

// A relief gives memory back to the system once a crowd of clients has gone, or has come to
// rest. By itself the runtime would keep it for long: it collects what is left of a crowd
// when as much again has been asked for, and those who stay ask for next to nothing.
type relief struct {
	busy func() int // connections of clients that do not rest, and requests that are served
	most int        // that were busy in the crowd
	calm int        // looks in a row at which it was gone
}

// crowd is how many have to be gone: fewer are not worth a collection.
const crowd = 100

// reliefLooks is how often it is looked: twice before any connection comes to rest, or a
// crowd could do so without having been seen.
const reliefLooks = restAfter / 2

// run looks until ctx ends.
func (r *relief) run(ctx context.Context) {
	for pause.For(ctx, reliefLooks) == nil {
		if r.due(r.busy()) {
			runtime.GC() // what is lent from a pool lives through one collection
			debug.FreeOSMemory()
		}
	}
}

// due notes how many are busy and reports whether it is time to give memory back: not at
// once, because a crowd that comes back should find its memory, and more than once,
// because the last of a crowd may leave late.
func (r *relief) due(now int) bool {
	r.most = max(r.most, now)
	if now > r.most/4 || r.most-now < crowd {
		r.calm = 0
		return false
	}
	r.calm++
	switch time.Duration(r.calm) * reliefLooks {
	case 3 * time.Second, 10 * time.Second:
		return true
	case 30 * time.Second:
		r.most, r.calm = now, 0
		return true
	}
	return false
}
