package differ_test

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// Walks use each other's memory: none of them may see what another one read, and reading the
// same bodies again costs next to nothing.
func TestWalksShareMemory(t *testing.T) {
	d := newDiffer(t, differ.Rules{})
	var pairs []differ.Pair
	for i := range 200 {
		after := strings.Replace(twoKiB("1234"), `"paid"`, fmt.Sprintf(`"state %d"`, i), 1+i%5)
		after = after[:len(after)-1] + strings.Repeat(`,"more":[1,{"x":[]}]`, i%3) + "}"[:min(1, i%7)] // some are no JSON
		pairs = append(pairs, differ.Pair{Before: get("/orders", twoKiB("1234")), After: get("/orders", after)})
	}
	want := d.CompareAll(nil, pairs)
	found := 0
	suite := d.Suite(nil)
	for _, p := range pairs {
		suite.Bind(p)
	}
	got := make([]differ.Result, len(pairs))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < len(pairs); i += 4 {
				got[i] = suite.Compare(pairs[i])
			}
		})
	}
	wg.Wait()
	for i := range pairs {
		found += len(got[i].Findings)
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("pair %d: at once %+v, alone %+v", i, got[i], want[i])
		}
	}
	if found < len(pairs) {
		t.Errorf("%d findings in %d pairs that differ", found, len(pairs))
	}
	same := differ.Pair{Before: pairs[0].Before, After: pairs[0].Before}
	const most = 100 // of 80 values; each object alone would be one more
	if n := testing.AllocsPerRun(100, func() { d.Compare(nil, same) }); n > most {
		t.Errorf("comparing bodies of 2 KiB allocates %v times, want at most %d", n, most)
	}
}
