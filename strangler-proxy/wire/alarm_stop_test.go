package wire_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// What an alarm's function uses may go away once Stop has returned, also if the alarm
// goes off at that moment.
func TestAlarmNeverRingsAfterStop(t *testing.T) {
	t.Parallel()
	var late atomic.Int64
	for range 3000 {
		var stopped atomic.Bool
		var a wire.Alarm
		a.Init(func() wire.Instant {
			time.Sleep(time.Duration(rand.IntN(30)) * time.Microsecond)
			if stopped.Load() {
				late.Add(1)
			}
			return 0
		})
		a.Set(wire.Now().Add(time.Duration(rand.IntN(60)) * time.Microsecond))
		for until := wire.Now().Add(60 * time.Microsecond); wire.Now() < until; {
		}
		a.Stop()
		stopped.Store(true)
	}
	if n := late.Load(); n > 0 {
		t.Errorf("%d of 3000 rang after Stop", n)
	}
}
