package split_test

import (
	"context"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// stranger takes a lock of the source and keeps it until it is told.
func (s *stage) stranger(begin string) (release func()) {
	s.t.Helper()
	c, err := s.app.open("source").Conn(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.ExecContext(s.t.Context(), begin); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		if _, err := c.ExecContext(context.WithoutCancel(s.t.Context()), `ROLLBACK`); err != nil {
			s.t.Error(err)
		}
		c.Close()
	}
}

// lockFor is longer than the engine is ready to wait for a lock.
func lockFor() time.Duration {
	if os.Getenv("SOAK") != "" {
		return 30 * time.Second
	}
	return 600 * time.Millisecond
}

// A stranger locks the source in every phase, before the command or while it works: the
// command waits, or says who is in the way of what and ends well when it is given again.
// With a rollback journal even reading is locked.
func TestSourceLockedByAStranger(t *testing.T) {
	t.Parallel()
	for i, p := range phases() {
		for j, journal := range []string{"WAL", "DELETE"} {
			for k, when := range []string{"before", "meanwhile"} {
				if os.Getenv("SOAK") == "" && (i+j+k)%2 != 0 {
					continue
				}
				t.Run(p.name+" "+journal+" "+when, func(t *testing.T) {
					t.Parallel()
					p.locked(t, journal, when == "meanwhile")
				})
			}
		}
	}
}

func (p phase) locked(t *testing.T, journal string, meanwhile bool) {
	s := p.stageIn(t, journal)
	s.env = []string{impatient}
	s.app.begin()
	type outcome struct {
		ok    bool
		words string
	}
	ended := make(chan outcome, 1)
	start := func() {
		go func() {
			ok, words := s.do(p.command, "", 0)
			ended <- outcome{ok, words}
		}()
	}
	if meanwhile {
		start()
		time.Sleep(time.Duration(rand.IntN(80)) * time.Millisecond) // any moment will do
	}
	release := s.stranger(`BEGIN EXCLUSIVE`)
	if !meanwhile {
		start()
	}
	time.Sleep(lockFor()) // whether it waits or gives up meanwhile
	release()
	o := <-ended
	if !o.ok && (!strings.Contains(o.words, "locked") || !strings.Contains(o.words, s.dir+"/source.db")) {
		t.Errorf("it does not say what is locked: %s", o.words)
	}
	s.env = nil
	if !o.ok {
		s.must(p.command)
	}
	p.end(s)
}

// A whole life with a source in rollback-journal mode: slower, and as right.
func TestLifeWithARollbackJournal(t *testing.T) {
	t.Parallel()
	s := newStageIn(t, 1, "DELETE")
	s.app.begin()
	for _, command := range []string{"run", "cutover", "run", "rollback", "run", "cutover", "run", "complete"} {
		s.must(command)
	}
	s.app.end()
	s.app.check("target")
	s.app.bare("source")
	s.app.bare("target")
	var mode string
	if err := s.app.dbs[0].QueryRowContext(t.Context(), `PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "delete" {
		t.Errorf("the journal mode of the source is now %s: %v", mode, err)
	}
}

// Reports that read for hours keep a state of either database; the move goes on beside
// them, and each sees its state to the end.
func TestLongReadersDoNotStopAMove(t *testing.T) {
	t.Parallel()
	s := newStage(t, 2)
	reader := func(side string) (again func()) {
		c, err := s.app.open(side).Conn(t.Context())
		if err == nil {
			_, err = c.ExecContext(t.Context(), `BEGIN DEFERRED`)
		}
		if err != nil {
			t.Fatal(err)
		}
		sum := func() (sum string) {
			if err := c.QueryRowContext(t.Context(), `SELECT count(*) || ' ' || coalesce(group_concat(id || u || v), '') FROM t`).Scan(&sum); err != nil {
				t.Errorf("the reader of the %s: %v", side, err)
			}
			return sum
		}
		before := sum()
		return func() {
			if after := sum(); after != before {
				t.Errorf("the reader of the %s saw another state", side)
			}
			if _, err := c.ExecContext(t.Context(), `ROLLBACK`); err != nil {
				t.Error(err)
			}
			c.Close()
		}
	}
	s.app.begin()
	var readers []func()
	readers = append(readers, reader("source"))
	s.must("run")
	readers = append(readers, reader("target"))
	for _, command := range []string{"cutover", "run", "rollback", "cutover", "run"} {
		readers = append(readers, reader("source"))
		s.must(command)
	}
	for _, again := range readers {
		again()
	}
	s.app.end()
	s.must("run")
	s.app.check("source")
	s.app.check("target")
}
