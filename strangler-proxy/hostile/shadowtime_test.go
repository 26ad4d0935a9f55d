package hostile_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// AC18: whatever the target of the shadow does, clients wait no longer than without one:
// the best 99th percentile of some rounds is within 5 % or a millisecond. The short form
// looks at one that hangs, and only sees to it that every request is answered.
func TestIllShadowTargetsCostNoTime(t *testing.T) { //nolint:paralleltest // the other tests would be measured
	upstream := newLoop(t)
	config := func(target, shadow string) string {
		return fmt.Sprintf("monolith: http://%s\nservices: { s: \"http://%s\" }\ndefaults: { shadow: { max_inflight: 8, queue: 100, timeout: 1s } }\n"+
			"routes: { r: { match: \"/things/{id}\", to: s, stage: shadow%s } }\n", upstream, target, shadow)
	}
	for name, ill := range illnesses {
		if !soak() && name != "hung" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var methods sync.Map
			target := newIll(t, ill, &methods)
			without, with := start(t, config(target, ", shadow: off")), start(t, config(target, ""))
			off, on := newTimes(), newTimes()
			for range size(5, 1) {
				off.add(t, without.address, size(5000, 200))
				on.add(t, with.address, size(5000, 200))
			}
			t.Logf("p50 %v without, %v with; p99 %v without, %v with", off.half, on.half, off.most, on.most)
			if limit := max(off.most*105/100, off.most+time.Millisecond); soak() && on.most > limit {
				t.Errorf("p99 %v, more than %v", on.most, limit)
			}
			if with.metric("strangler_shadow_sent_total") == 0 || without.metric("strangler_shadow_sent_total") != 0 {
				t.Error("copies were made where none should be, or none where some should")
			}
		})
	}
}
