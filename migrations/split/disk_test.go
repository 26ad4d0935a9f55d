package split_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/crashpoint"
)

// A failing is what a disk answers, and for how long.
type failing struct {
	name  string
	errno syscall.Errno
	on    bool // from then on
	says  string
}

// In every phase, a write to the source, to the target or to the control file that fails:
// once, or from then on. A command that ends well has done what it should; else it
// says which file and why, and ends well when it is given again. The application's own
// writes go on all the time, and none is lost.
func TestDiskThatFails(t *testing.T) {
	t.Parallel()
	failings := []failing{
		{"full once", syscall.ENOSPC, false, "full"},
		{"full", syscall.ENOSPC, true, "full"},
		{"broken once", syscall.EIO, false, "disk I/O error"},
		{"broken", syscall.EIO, true, "disk I/O error"},
	}
	for i, p := range phases() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			base := p.stage(t)
			for j, under := range []string{"source.db", "target.db", ".strangler/"} {
				for k, f := range failings {
					if os.Getenv("SOAK") == "" && (i+j+k)%4 != 0 {
						continue // each of them in some phase
					}
					t.Run(under+" "+f.name, func(t *testing.T) { p.fail(t, base, under, f) })
				}
			}
		})
	}
}

func (p phase) fail(t *testing.T, base *stage, under string, f failing) {
	counted := base.fork(t, 0)
	r, words := counted.traced(p.command, crashpoint.Fault{Under: filepath.Join(counted.dir, under)})
	if r.Code != 0 {
		t.Fatalf("%s: %+v: %s", p.command, r, words)
	}
	for n := range points(r.Calls, 1) {
		struck := true
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			s := base.fork(t, uint64(n))
			s.app.begin()
			fault := crashpoint.Fault{Under: filepath.Join(s.dir, under), N: n, Error: int(f.errno), On: f.on}
			if f.on && p.command == "run" {
				fault.Until = after(300 * time.Millisecond) // a run waits for room
			}
			began := time.Now()
			r, words := s.traced(p.command, fault)
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %s", took)
			}
			struck = r.Struck
			if r.Code != 0 {
				if !strings.Contains(words, f.says) || !strings.Contains(words, s.dir+"/"+under) {
					t.Errorf("it does not say what and where: %s", words)
				}
				s.must(p.command)
			}
			p.end(s)
		})
		if t.Failed() || !struck {
			return
		}
	}
}

// after returns a function that is true once some time has passed since it was first asked.
func after(d time.Duration) func() bool {
	var first time.Time
	return func() bool {
		if first.IsZero() {
			first = time.Now()
		}
		return time.Since(first) > d
	}
}
