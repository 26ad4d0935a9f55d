package split_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/crashpoint"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// TestGatesRefuseACutover: whatever stands against a cut-over is named, nothing is
// changed, and without it the same cut-over goes through. A stale comparison alone may be
// overruled, with a reason.
func TestGatesRefuseACutover(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		until  split.Until
		hinder func(s *site, e *split.Engine) (mend func())
		want   string
		soft   bool
	}{
		{"not compared", split.ByCopied, nothing, "cutover is not possible now", false},
		{"compared long ago", split.ByVerified, func(_ *site, e *split.Engine) func() {
			e.Plan.Limits.Stale = time.Nanosecond
			return func() { e.Plan.Limits.Stale = time.Hour }
		}, "limits.stale is 1ns", true},
		{"no room", split.ByVerified, func(_ *site, e *split.Engine) func() {
			e.Plan.Limits.Disk = 1 << 60
			return func() { e.Plan.Limits.Disk = 0 }
		}, "make room", false},
		{"behind", split.ByVerified, func(_ *site, e *split.Engine) func() {
			e.Plan.Limits.Dirty = -1
			return func() { e.Plan.Limits.Dirty = 500 }
		}, "changes are not applied", false},
		{"the target cannot log", split.ByVerified, func(s *site, _ *split.Engine) func() {
			s.rogue(`ALTER TABLE _strangler_log_notes RENAME COLUMN k1 TO hidden`)
			return func() { s.rogue(`ALTER TABLE _strangler_log_notes RENAME COLUMN hidden TO k1`) }
		}, "the target cannot lead", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, 300)
			s.plan.Limits.Fence = 2 * time.Second
			e := s.engine(nil)
			testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: c.until}))
			mend := c.hinder(s, e)
			_, err := e.SwitchBy(t.Context(), ownership.Target, split.SwitchOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) || program.Code(err) != program.Refused {
				t.Fatalf("%v, want a refusal that says %q", err, c.want)
			}
			s.exec(`UPDATE notes SET n = n + 1 WHERE id < 5`) // the source still owns the table
			if c.soft {
				_, err = e.SwitchBy(t.Context(), ownership.Target, split.SwitchOptions{Force: "a drill"})
				testkit.Check(t, err)
				return
			}
			_, err = e.SwitchBy(t.Context(), ownership.Target, split.SwitchOptions{Force: "a drill"})
			if err == nil {
				t.Error("it was overruled")
			}
			mend()
			testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
			_, err = e.SwitchBy(t.Context(), ownership.Target, split.SwitchOptions{})
			testkit.Check(t, err)
		})
	}
}

func nothing(*site, *split.Engine) func() { return func() {} }

// rogue writes the target past everybody.
func (s *site) rogue(statement string) {
	s.t.Helper()
	if _, err := s.open("target.db").Exec(statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// TestAnotherMoveIsRefused: a second split of a table that is on its way, and a target
// that belongs to another move of the split, are refused by name before anything is
// changed.
func TestAnotherMoveIsRefused(t *testing.T) {
	t.Parallel()
	s, other := newSite(t, 100), newSite(t, 100)
	e := s.engine(nil)
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	testkit.Check(t, run(t.Context(), other.engine(nil), split.RunOptions{Until: split.ByVerified}))
	state, err := e.Target.State(t.Context(), "notes")
	testkit.Check(t, err)

	mixed := *s.plan
	mixed.Target = other.plan.Target
	s.refused(&mixed, "are parts of two different moves of split notes ("+state.Move)
	second := *s.plan
	second.Split = "second"
	second.Target.DSN = "file:" + filepath.Join(s.dir, "second.db")
	s.refused(&second, "table notes: it is part of split notes, which has begun; complete or abort that split first")

	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	s.equal()
	other.equal()
}

func (s *site) refused(p *plan.Plan, want string) {
	s.t.Helper()
	before := s.objects()
	e, err := split.Open(s.t.Context(), p, true, split.Options{})
	testkit.Check(s.t, err)
	defer e.Close()
	err = run(s.t.Context(), e, split.RunOptions{Until: split.ByVerified})
	if program.Code(err) != program.Refused || !strings.Contains(err.Error(), want) {
		s.t.Errorf("split %s: %v, want a refusal that says %q", p.Split, err, want)
	}
	if after := s.objects(); after != before {
		s.t.Errorf("split %s was refused, and changed the source from %s to %s", p.Split, before, after)
	}
}

func (s *site) objects() (all string) {
	s.t.Helper()
	testkit.Check(s.t, s.app.QueryRow(`SELECT group_concat(name || coalesce(sql, '')) FROM sqlite_master`).Scan(&all))
	return all
}

// TestMigrationsOfTheApplication: while rows are copied the application changes its
// schema without waiting for a second. What has to do with the split stops it by name;
// what has not does not disturb it; and an abort leaves only what the application made.
func TestMigrationsOfTheApplication(t *testing.T) {
	t.Parallel()
	s := newSite(t, 20_000)
	e := s.engine(nil)
	ended := make(chan error, 1)
	copying := make(chan struct{}, 1)
	go func() {
		ended <- run(t.Context(), e, split.RunOptions{Until: split.ByVerified, Watch: func(split.Live) {
			select {
			case copying <- struct{}{}:
			default:
			}
		}})
	}()
	<-copying
	migrate := func(statement string) {
		began := time.Now()
		s.exec(statement)
		if took := time.Since(began); took > time.Second && os.Getenv("CI") == "" {
			t.Errorf("%s took %s", statement, took)
		}
	}
	migrate(`ALTER TABLE other ADD COLUMN y TEXT`)
	migrate(`CREATE INDEX other_y ON other(y)`)
	migrate(`CREATE TABLE more (id INTEGER PRIMARY KEY)`)
	testkit.Check(t, <-ended)
	s.equal()
	migrate(`ALTER TABLE notes RENAME COLUMN body TO words`)
	s.exec(`INSERT INTO notes(slug, words) VALUES ('after', 'the migration')`)
	err := run(t.Context(), e, split.RunOptions{Until: split.ByVerified})
	if err == nil || !strings.Contains(err.Error(), "table notes") || !strings.Contains(err.Error(), "words TEXT") {
		t.Errorf("a renamed column: %v", err)
	}
	w, err := e.Begin(t.Context(), "abort", split.Any)
	testkit.Check(t, err)
	testkit.Check(t, w.Abort(t.Context(), split.AbortOptions{}))
	testkit.Check(t, w.End())
	if all := s.objects(); strings.Contains(all, "_strangler_") || !strings.Contains(all, "words TEXT") {
		t.Errorf("the source's schema is now %s", all)
	}
}

// Whatever a kill has left of a beginning, an abort takes it all away.
func TestAbortOfWhatAKillLeft(t *testing.T) {
	t.Parallel()
	p := phases()[0]
	base := p.stage(t)
	counted := base.fork(t, 0)
	r, words := counted.traced(p.command, crashpoint.Fault{Under: counted.dir})
	if r.Code != 0 {
		t.Fatal(words)
	}
	for n := range points(r.Calls, 6) {
		struck := true
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := base.fork(t, uint64(n))
			r, words := s.traced(p.command, crashpoint.Fault{Under: s.dir, N: n})
			if struck = r.Struck; !r.Killed && r.Code != 0 {
				t.Fatal(words)
			}
			s.must("abort")
			s.app.check("source")
			s.app.untouched()
			s.app.bare("target")
		})
		if t.Failed() || !struck {
			return
		}
	}
}
