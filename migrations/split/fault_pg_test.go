package split_test

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// A fault is what happens to servers while a command of the engine is at one point.
type fault struct {
	name   string
	strike func(p *faultyPair)
}

// faults are all of them: the sessions of the engine are ended, or a server crashes.
var faults = []fault{
	{"the source ends the sessions", func(p *faultyPair) { p.cut(0) }},
	{"the target crashes", func(p *faultyPair) { p.crash(1) }},
	{"the target ends the sessions", func(p *faultyPair) { p.cut(1) }},
	{"the source crashes", func(p *faultyPair) { p.crash(0) }},
	{"both end the sessions", func(p *faultyPair) { p.cut(0); p.cut(1) }},
	{"both crash", func(p *faultyPair) { p.crash(0); p.crash(1) }},
}

// A faultyPair is a source and a target, each on a server of its own.
type faultyPair struct {
	t       *testing.T
	servers []*pgtest.Server
	dsns    []string
}

func newFaultyPair(t *testing.T) *faultyPair {
	t.Helper()
	p := &faultyPair{t: t, servers: pgtest.StartSeveral(t, 2)}
	for _, s := range p.servers {
		p.dsns = append(p.dsns, s.Database(t))
	}
	return p
}

// fork is the same pair with copies of the databases, to which nobody is connected.
func (p *faultyPair) fork(n int) *faultyPair {
	p.t.Helper()
	f := &faultyPair{t: p.t, servers: p.servers}
	for i, server := range p.servers {
		name := fmt.Sprintf("copy_%d", n)
		pgtest.Exec(p.t, server.DSN("postgres"), fmt.Sprintf(`CREATE DATABASE %s TEMPLATE %s`, name, nameOf(p.t, p.dsns[i])))
		f.dsns = append(f.dsns, server.DSN(name))
	}
	return f
}

// cut ends the sessions of the engine.
func (p *faultyPair) cut(side int) { query(p.t, p.dsns[side], endEngine) }

// crash lets a server crash and come back.
func (p *faultyPair) crash(side int) { testkit.Check(p.t, p.servers[side].Restart()) }

// plan writes the plan of a move from one to the other.
func (p *faultyPair) plan() *stage {
	p.t.Helper()
	at := func(side int) *testkit.Place { return &testkit.Place{Driver: "pgx", DSN: p.dsns[side]} }
	return pairPlan(p.t, at(0), at(1), "tables: [t]\ncreate_target: true\n")
}

// TestFaultsOfServersAtEveryNamedStep lets servers end the engine's sessions, or crash, at
// each step of a cut-over and of a rollback, before and after it, while an application
// writes. Whether the command outlives that or not, the same command ends well within five
// seconds, and no acknowledged write is lost. SOAK=1 has each fault at each step.
func TestFaultsOfServersAtEveryNamedStep(t *testing.T) {
	t.Parallel()
	var points []string
	for _, step := range ownership.Steps() {
		points = append(points, "before "+step.Name, "after "+step.Name)
	}
	p := newFaultyPair(t)
	s, a := p.plan(), newPgApp(t, 1, testkit.PostgreSQLAt(t, p.dsns[0]), testkit.PostgreSQLAt(t, p.dsns[1]))
	a.crashes = true
	end := a.begin()
	s.must("run")
	struck, outlived := 0, 0
	for i, point := range points {
		for j, f := range faults {
			for k, command := range []string{"cutover", "rollback"} {
				if os.Getenv("SOAK") == "" && (i%4 != 2*k || j != i/2%len(faults)) {
					continue
				}
				s.must([]string{"rollback", "cutover"}[k]) // where it is already, it says so
				if p.strikeAt(s, command, point, f) {
					outlived++
				}
				struck++
			}
		}
	}
	end()
	s.must("run")
	for _, dsn := range p.dsns {
		a.check(dsn)
	}
	if struck < 11 || a.writes == 0 {
		t.Errorf("%d faults and %d writes show nothing", struck, a.writes)
	}
	t.Logf("%d faults, %d of them outlived by the command; %d writes, %d refused", struck, outlived, a.writes, a.refused)
}

// strikeAt lets a fault happen while a command is at a point, gives the command again, and
// reports whether the first one outlived it.
func (p *faultyPair) strikeAt(s *stage, command, point string, f fault) bool {
	s.t.Helper()
	there, ok, words := s.struckAt(command, point, func() { f.strike(p) })
	if !there {
		s.t.Errorf("%s did not come to %q: %s", command, point, words)
	}
	began := time.Now()
	s.must(command)
	if took := time.Since(began); took > 5*time.Second {
		s.t.Errorf("%s while %s was at %q: it took %s to recover; the first said %s", f.name, command, point, took, words)
	}
	return ok
}

// struckAt runs a command in a process of its own, and lets something happen while it is at
// a point. It reports whether it was ever there, and whether it ended well.
func (s *stage) struckAt(command, point string, strike func()) (there, ok bool, words string) {
	s.t.Helper()
	from, at, err := os.Pipe()
	testkit.Check(s.t, err)
	on, tell, err := os.Pipe()
	testkit.Check(s.t, err)
	var said strings.Builder
	cmd := s.prepare(&said, command, "SPLIT_WAIT="+point)
	cmd.ExtraFiles = []*os.File{at, on}
	testkit.Check(s.t, cmd.Start())
	at.Close()
	on.Close()
	word, _ := io.ReadAll(from) // nothing if the process ends without having been there
	from.Close()
	if there = len(word) > 0; there {
		strike()
	}
	tell.Close()
	err = cmd.Wait()
	return there, err == nil, said.String()
}

// TestFaultsOfServersAtEveryPointOfComplete is the same for complete, after which nothing is
// left but who owns the table.
func TestFaultsOfServersAtEveryPointOfComplete(t *testing.T) {
	t.Parallel()
	p := newFaultyPair(t)
	pgtest.Exec(t, p.dsns[0], `CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE NOT NULL, v INTEGER NOT NULL)`, `INSERT INTO t SELECT n, 'u' || n, n FROM generate_series(1, 1500) n`)
	begun := p.plan()
	begun.must("run")
	begun.must("cutover")
	const content = `SELECT count(*) || md5(string_agg(t::text, ',' ORDER BY id)) FROM t`
	want := query(t, p.dsns[1], content)
	struck := 0
	for n, there := 1, true; there; n++ {
		for j, f := range faults {
			if os.Getenv("SOAK") == "" && j != n%len(faults) {
				continue
			}
			q := p.fork(n*len(faults) + j)
			s := q.plan()
			there, _, _ = s.struckAt("complete", strconv.Itoa(n), func() { f.strike(q) })
			if !there {
				break // complete has fewer points than n
			}
			struck++
			s.must("complete")
			if got := query(t, q.dsns[1], content); got != want {
				t.Errorf("%s at point %d: the target holds %s, want %s", f.name, n, got, want)
			}
			for _, dsn := range q.dsns {
				if left := query(t, dsn, leftBehind); left != "" {
					t.Errorf("%s at point %d: left behind: %s", f.name, n, left)
				}
			}
		}
	}
	if struck < 6 {
		t.Errorf("complete has only %d points", struck)
	}
	t.Logf("%d faults", struck)
}
