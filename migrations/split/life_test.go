package split_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/ownership"
)

// seeds is how many lives a test run lives; SOAK=1 lives 500, a greater number that many.
func seeds() int {
	switch n, _ := strconv.Atoi(os.Getenv("SOAK")); {
	case n > 1:
		return n
	case os.Getenv("SOAK") != "":
		return 500
	case testing.Short():
		return 5
	}
	return 30
}

// A life: copy, cut over, follow back, roll back, cut over again, complete, while an
// application writes, and each command is killed again and again, at a random point or
// after a random time, until it ends well. Nobody does anything but give it again.
func TestLifeSurvivesEveryKill(t *testing.T) {
	t.Parallel()
	for seed := range seeds() {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Parallel()
			live(t, uint64(seed))
		})
	}
}

func live(t *testing.T, seed uint64) {
	s, r := newStage(t, seed), rand.New(rand.NewPCG(seed, 9))
	s.app.begin()
	killed := 0
	for _, command := range []string{"run", "cutover", "run", "rollback", "cutover", "run", "complete"} {
		for try := 0; ; try++ {
			kill, after := "", time.Duration(0)
			switch {
			case try > 3: // long enough
			case r.IntN(2) == 0:
				kill = strconv.Itoa(1 + r.IntN(40))
			default:
				after = time.Duration(1+r.IntN(150)) * time.Millisecond
			}
			ok, words := s.do(command, kill, after)
			if ok {
				break
			}
			killed++
			if try > 4 {
				t.Fatalf("%s does not end well: %s", command, words)
			}
		}
	}
	s.app.end()
	s.app.check("target")
	s.app.bare("source")
	s.app.bare("target")
	if killed == 0 {
		t.Log("nothing was killed")
	}
	t.Logf("%d writes, %d refused, %d kills", s.app.writes, s.app.refused, killed)
}

// Every named step of a cut-over and of a rollback, before and after it: killed there,
// the same command ends well within five seconds, and no acknowledged write is lost.
func TestKillAtEveryNamedStep(t *testing.T) {
	t.Parallel()
	var points []string
	for _, step := range ownership.Steps() {
		points = append(points, "before "+step.Name, "after "+step.Name)
	}
	groups := slices.Collect(slices.Chunk(points, (len(points)+1)/2))
	for i, group := range groups {
		t.Run(fmt.Sprint("part ", i+1), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, uint64(i))
			s.app.begin()
			s.must("run")
			for _, point := range group {
				s.killedAt("cutover", point)
				s.killedAt("rollback", point)
			}
			s.app.end()
			s.must("run")
			s.app.check("source")
			s.app.check("target")
			t.Logf("%d points, %d writes, %d refused", 2*len(group), s.app.writes, s.app.refused)
		})
	}
}

// Every point of complete: killed there, the same command goes on, and in the end nothing
// is left but who owns the table.
func TestKillCompleteAtEveryPoint(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		s := newStage(t, uint64(n))
		s.must("run")
		s.must("cutover")
		ok, _ := s.do("complete", strconv.Itoa(n), 0)
		s.must("complete")
		s.app.check("target")
		s.app.bare("source")
		s.app.bare("target")
		if ok {
			t.Logf("%d points", n-1)
			return // it has fewer points than n
		}
	}
}

func (s *stage) killedAt(command, point string) {
	s.t.Helper()
	if ok, words := s.do(command, point, 0); ok {
		s.t.Errorf("%s was not killed %s: %s", command, point, words)
		return
	}
	began := time.Now()
	s.must(command)
	if took := time.Since(began); took > 5*time.Second {
		s.t.Errorf("after a kill %s %s it took %s to recover", point, command, took)
	}
}
