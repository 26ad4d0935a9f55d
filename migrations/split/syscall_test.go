package split_test

import (
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stranglerfig/toolkit/internal/crashpoint"
)

// A phase of a move is a command on a stage that was prepared for it.
type phase struct {
	name    string // how it is called in tests
	command string
	before  []string // commands that lead there
	writes  int      // that the application makes between them and the command
	owner   string   // of the tables in the end
	bare    bool     // nothing of the engine is left in the end
}

func phases() []phase {
	return []phase{
		{name: "copy", command: "run", owner: "source"},
		{name: "follow", command: "run", before: []string{"run"}, writes: 40, owner: "source"},
		{name: "cutover", command: "cutover", before: []string{"run"}, writes: 10, owner: "target"},
		{name: "back", command: "run", before: []string{"run", "cutover"}, writes: 40, owner: "target"},
		{name: "rollback", command: "rollback", before: []string{"run", "cutover"}, writes: 10, owner: "source"},
		{name: "complete", command: "complete", before: []string{"run", "cutover"}, writes: 5, owner: "target", bare: true},
		{name: "abort", command: "abort", before: []string{"run"}, owner: "source", bare: true},
	}
}

// stage prepares a stage for the phase.
func (p phase) stage(t *testing.T) *stage {
	t.Helper()
	return p.stageIn(t, "WAL")
}

// stageIn is stage with a source in another journal mode.
func (p phase) stageIn(t *testing.T, journal string) *stage {
	t.Helper()
	s := newStageIn(t, 7, journal)
	for _, command := range p.before {
		s.must(command)
	}
	for range p.writes {
		s.app.write(t.Context())
	}
	return s
}

// end looks whether the phase has ended as it should, with every acknowledged write.
func (p phase) end(s *stage) {
	s.t.Helper()
	s.app.end()
	if !p.bare {
		s.must("run") // brings over what was written last
		s.app.check("source")
		s.app.check("target")
		return
	}
	s.app.check(p.owner)
	s.app.bare("source")
	s.app.bare("target")
	if p.command == "abort" {
		s.app.untouched()
	}
}

// traced is do for a command that meets a fault at one of its system calls. It skips the
// test where programs cannot be traced.
func (s *stage) traced(command string, f crashpoint.Fault) (crashpoint.Result, string) {
	s.t.Helper()
	log := filepath.Join(s.t.TempDir(), "log")
	r, err := crashpoint.Run(crashpoint.Program{Path: os.Args[0], Log: log, Env: append(os.Environ(), "SPLIT_DO="+command, "SPLIT_DIR="+s.dir, "SPLIT_KILL=")}, f)
	if errors.Is(err, crashpoint.ErrUnsupported) {
		s.t.Skip(err)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	words, err := os.ReadFile(log)
	if err != nil {
		s.t.Fatal(err)
	}
	return r, string(words)
}

// points are the calls of a command to strike at: with SOAK=1 the first, the second and so
// on for ever, else a few in between.
func points(total, few int) iter.Seq[int] {
	return func(yield func(int) bool) {
		if os.Getenv("SOAK") == "" {
			for i := range few {
				if !yield(1 + total*(2*i+1)/(2*few)) {
					return
				}
			}
			return
		}
		for n := 1; yield(n); n++ {
		}
	}
}

// In every phase, a kill before the first call that changes a file, the second, the third,
// until there is none left: the same command ends well, no acknowledged write is lost or
// doubled, and both databases are equal. The short form tries a few of them.
func TestKillAtEveryWriteCall(t *testing.T) {
	t.Parallel()
	for _, p := range phases() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			base := p.stage(t)
			counted := base.fork(t, 0)
			r, words := counted.traced(p.command, crashpoint.Fault{Under: counted.dir})
			if r.Code != 0 || r.Calls < 10 {
				t.Fatalf("%s: %+v: %s", p.command, r, words)
			}
			tried := 0
			for n := range points(r.Calls, 4) {
				struck := true
				t.Run(strconv.Itoa(n), func(t *testing.T) {
					s := base.fork(t, uint64(n))
					s.app.begin()
					r, words := s.traced(p.command, crashpoint.Fault{Under: s.dir, N: n})
					if struck = r.Struck; !r.Killed && r.Code != 0 {
						t.Errorf("it was not killed, and ended with %d: %s", r.Code, words)
					}
					s.must(p.command)
					p.end(s)
				})
				if tried++; t.Failed() || !struck {
					break
				}
			}
			t.Logf("%d of %d calls", tried, r.Calls)
		})
	}
}
