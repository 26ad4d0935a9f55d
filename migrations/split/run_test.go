package split_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

const notes = `
	CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, slug TEXT NOT NULL UNIQUE, body TEXT, n REAL, up INT REFERENCES notes(id));
	CREATE INDEX notes_body ON notes(body);
	CREATE TABLE tags (note INT NOT NULL REFERENCES notes(id) ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (note, tag)) WITHOUT ROWID;
	CREATE TABLE other (id INTEGER PRIMARY KEY, x);`

// A site is a source with an application, and a target.
type site struct {
	t    *testing.T
	dir  string
	app  *sql.DB
	plan *plan.Plan
}

func newSite(t *testing.T, rows int) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	s.app = s.open("source.db")
	s.exec(notes)
	s.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO notes(slug, body, n) SELECT 's' || i, hex(randomblob(20)), i / 3.0 FROM n`, rows)
	s.exec(`INSERT INTO tags SELECT id, 'first' FROM notes WHERE id % 7 = 0`)
	source := fmt.Sprintf("version: 1\nsplit: notes\nsource: {driver: sqlite3, dsn: %q}\ntarget: {driver: sqlite3, dsn: %q}\ntables: [notes, tags]\ncreate_target: true\nlimits: {disk: 1MiB}\n",
		"file:"+filepath.Join(s.dir, "source.db"), "file:"+filepath.Join(s.dir, "target.db"))
	var err error
	s.plan, err = plan.Parse("notes.yaml", []byte(source), plan.Options{})
	testkit.Check(t, err)
	return s
}

func (s *site) open(name string) *sql.DB {
	s.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.dir, name)+"?_journal_mode=WAL&_foreign_keys=on&_synchronous=off&_busy_timeout=10000")
	testkit.Check(s.t, err)
	db.SetMaxOpenConns(1)
	s.t.Cleanup(func() { db.Close() })
	return db
}

func (s *site) exec(statement string, args ...any) {
	s.t.Helper()
	if _, err := s.app.ExecContext(s.t.Context(), statement, args...); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// engine opens the plan; store may be nil.
func (s *site) engine(store *control.Store) *split.Engine {
	s.t.Helper()
	e, err := split.Open(s.t.Context(), s.plan, true, split.Options{Store: store, Poll: time.Millisecond})
	testkit.Check(s.t, err)
	s.t.Cleanup(func() { e.Close() })
	return e
}

// run runs a command's worth of engine.
func run(ctx context.Context, e *split.Engine, o split.RunOptions) error {
	mode := split.Make
	if o.Resync {
		mode = split.Anew
	}
	w, err := e.Begin(ctx, "run", mode)
	if err != nil {
		return err
	}
	return errors.Join(w.Run(ctx, o), w.End())
}

// write writes as the application does until stop is called; a write that the schema
// refuses is a write, too.
func (s *site) write(seed uint64) (stop func() int) {
	r, done := rand.New(rand.NewPCG(seed, 1)), make(chan struct{})
	var wg sync.WaitGroup
	count := 0
	wg.Go(func() {
		for ; ; count++ {
			select {
			case <-done:
				return
			default:
			}
			id := 1 + r.IntN(3000)
			var err error
			switch r.IntN(7) {
			case 0:
				_, err = s.app.Exec(`INSERT OR REPLACE INTO notes(slug, body) VALUES (?, 'replaced')`, fmt.Sprint("s", id))
			case 1:
				_, err = s.app.Exec(`DELETE FROM notes WHERE id = ?`, id)
			case 2:
				_, err = s.app.Exec(`INSERT INTO notes(slug, n) VALUES (?, 1.5) ON CONFLICT DO UPDATE SET n = n + 1`, fmt.Sprint("s", id))
			case 3:
				_, err = s.app.Exec(`INSERT INTO tags VALUES (?, ?)`, id, fmt.Sprint("t", r.IntN(3)))
			case 4:
				_, err = s.app.Exec(`UPDATE OR IGNORE notes SET id = ? WHERE id = ?`, 1+r.IntN(4000), id)
			default:
				_, err = s.app.Exec(`UPDATE notes SET body = ? WHERE id = ?`, r.Int(), id)
			}
			if err != nil && !strings.Contains(err.Error(), "constraint") {
				s.t.Errorf("a write of the application failed: %v", err)
				return
			}
			if count%20 == 0 {
				time.Sleep(20 * time.Millisecond) // at most 1000 writes a second: the engine has to keep up on a busy machine
			}
		}
	})
	return func() int { close(done); wg.Wait(); return count }
}

// equal compares both tables by SQLite alone, in one statement.
func (s *site) equal() {
	s.t.Helper()
	db := s.open("source.db")
	_, err := db.Exec(`ATTACH ? AS target`, filepath.Join(s.dir, "target.db"))
	testkit.Check(s.t, err)
	for _, table := range []string{"notes", "tags"} {
		columns := map[string]string{"notes": "id, typeof(slug), slug, typeof(body), body, typeof(n), n, up", "tags": "note, tag"}[table]
		var differ, rows int
		testkit.Check(s.t, db.QueryRow(`SELECT count(*) FROM main.`+table).Scan(&rows))
		query := func(a, b string) string {
			return `SELECT ` + columns + ` FROM ` + a + `.` + table + ` EXCEPT SELECT ` + columns + ` FROM ` + b + `.` + table
		}
		testkit.Check(s.t, db.QueryRow(`SELECT (SELECT count(*) FROM (`+query("main", "target")+`)) + (SELECT count(*) FROM (`+query("target", "main")+`))`).Scan(&differ))
		if differ > 0 || rows == 0 {
			s.t.Errorf("table %s: %d of %d rows differ", table, differ, rows)
		}
	}
	var index int
	testkit.Check(s.t, db.QueryRow(`SELECT count(*) FROM target.sqlite_master WHERE name = 'notes_body'`).Scan(&index))
	if index != 1 {
		s.t.Error("the target lacks the index notes_body")
	}
}

// TestRunUnderWrites copies, follows and compares again and again while an application
// writes. No comparison may raise a false alarm, and no write may fail or be lost.
func TestRunUnderWrites(t *testing.T) {
	t.Parallel()
	s := newSite(t, 8_000)
	e := s.engine(nil)
	stop := s.write(1)
	rounds := 3
	if os.Getenv("SOAK") != "" {
		rounds = 50
	}
	for round := range rounds {
		if err := run(t.Context(), e, split.RunOptions{Until: split.ByVerified, Verify: true}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	if writes := stop(); writes < 100 {
		t.Errorf("only %d writes", writes)
	}
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	s.equal()
}

// TestInterruptedRunsGoOn stops runs at arbitrary moments and begins them anew with other
// connections, as after a crash.
func TestInterruptedRunsGoOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, 8_000)
	stop := s.write(2)
	r := rand.New(rand.NewPCG(3, 3))
	for range 8 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(5+r.IntN(150))*time.Millisecond)
		e := s.engine(nil)
		if err := run(ctx, e, split.RunOptions{}); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		cancel()
		testkit.Check(t, e.Close())
	}
	stop()
	testkit.Check(t, run(t.Context(), s.engine(nil), split.RunOptions{Until: split.ByVerified}))
	s.equal()
}

// TestOthersSteerARun pauses, throttles and resumes a run from outside, and finds a
// second one refused.
func TestOthersSteerARun(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2000)
	store, err := control.Open(t.Context(), filepath.Join(s.dir, "control.db"), control.Options{})
	testkit.Check(t, err)
	t.Cleanup(func() { store.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	running := s.engine(store)
	go func() { ended <- run(ctx, running, split.RunOptions{}) }()
	e := s.engine(store)
	wait := func(what string, good func(live split.Live) bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			live, err := e.Ask(t.Context(), split.AskStatus, nil)
			if err == nil && good(live) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v, %v", what, live, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	wait("verified", func(l split.Live) bool { return l.Verified })
	if err := run(t.Context(), e, split.RunOptions{}); program.Code(err) != program.Refused || !strings.Contains(err.Error(), "strangler split run, process") {
		t.Errorf("a second run: %v", err)
	}
	_, err = e.Ask(t.Context(), split.AskPause, nil)
	testkit.Check(t, err)
	s.exec(`UPDATE notes SET body = 'while paused' WHERE id <= 10`)
	status, err := e.Status(t.Context())
	testkit.Check(t, err)
	if status.Pending != 10 || status.Live == nil || status.Live.Waiting != "paused by request" || status.Running == nil {
		t.Errorf("while paused: %+v, %+v", status, status.Live)
	}
	_, err = e.Ask(t.Context(), split.AskResume, nil)
	testkit.Check(t, err)
	wait("applied", func(l split.Live) bool { return l.Applied >= 10 && l.Dirty == 0 })
	if live, err := e.Ask(t.Context(), split.AskThrottle, split.Throttle{Rows: 7}); err != nil || live.Limit != 7 {
		t.Errorf("throttled: %+v, %v", live, err)
	}
	if _, err := e.Ask(t.Context(), "dance", nil); err == nil {
		t.Error("a request that nobody knows is carried out")
	}
	cancel()
	testkit.Check(t, <-ended)
	s.equal()
}

// TestLostCaptureIsNoticed changes what the engine relies on. It has to stop and name the
// table, and a resync has to make everything good.
func TestLostCaptureIsNoticed(t *testing.T) {
	for _, c := range []struct{ name, change, want string }{
		{"trigger dropped", `DROP TRIGGER "_strangler_notes.notes.au"`, "table notes: changes may have been missed: triggers of the engine are gone"},
		{"trigger changed", `DROP TRIGGER "_strangler_notes.tags.au"; CREATE TRIGGER "_strangler_notes.tags.au" AFTER UPDATE ON tags BEGIN SELECT 1; END`, "triggers of the engine are gone or changed"},
		{"table rebuilt", `PRAGMA foreign_keys = off; CREATE TABLE new (note INT NOT NULL REFERENCES notes(id) ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (note, tag)) WITHOUT ROWID;
			INSERT INTO new SELECT * FROM tags; DROP TABLE tags; ALTER TABLE new RENAME TO tags; UPDATE tags SET tag = 'unseen' WHERE note = 7`, "table tags"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, 300)
			e := s.engine(nil)
			testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
			s.exec(c.change)
			s.exec(`UPDATE notes SET body = 'unseen' WHERE id = 3`)
			err := run(t.Context(), e, split.RunOptions{Until: split.ByVerified})
			if program.Code(err) != program.Refused || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "--resync") {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			status, err := e.Status(t.Context())
			testkit.Check(t, err)
			if status.Lost == "" {
				t.Error("the status does not say that changes may have been missed")
			}
			testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified, Resync: true}))
			s.equal()
		})
	}
}

// TestDroppedLogOfARun drops the log under a run. Its triggers would make each write of the
// application fail; the run takes them away, and says that changes may have been missed.
func TestDroppedLogOfARun(t *testing.T) {
	t.Parallel()
	s := newSite(t, 300)
	store, err := control.Open(t.Context(), filepath.Join(s.dir, "control.db"), control.Options{})
	testkit.Check(t, err)
	t.Cleanup(func() { store.Close() })
	e, ended := s.engine(store), make(chan error, 1)
	go func() { ended <- run(t.Context(), e, split.RunOptions{}) }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if live, err := e.Ask(t.Context(), split.AskStatus, nil); err == nil && live.Verified {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the run does not come to verify")
		}
	}
	s.exec(`DROP TABLE "_strangler_log_notes"`)
	if err := <-ended; program.Code(err) != program.Refused || !strings.Contains(err.Error(), "capture lost") || !strings.Contains(err.Error(), "--resync") {
		t.Errorf("the run ended with %v", err)
	}
	var n int
	testkit.Check(t, s.app.QueryRow(`SELECT count(*) FROM notes`).Scan(&n)) // with a good statement a connection notices that the schema changed
	s.exec(`UPDATE notes SET body = 'unseen' WHERE id = 3`)
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified, Resync: true}))
	s.equal()
}

// TestChangedColumnsStopTheRun: the application's own migration goes through, and a column
// that the target lacks is not lost in silence.
func TestChangedColumnsStopTheRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, 300)
	e := s.engine(nil)
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	s.exec(`ALTER TABLE notes ADD COLUMN colour TEXT`)
	s.exec(`UPDATE notes SET colour = 'red' WHERE id = 3`)
	err := run(t.Context(), e, split.RunOptions{Until: split.ByVerified})
	if err == nil || !strings.Contains(err.Error(), "table notes") || !strings.Contains(err.Error(), "colour TEXT") {
		t.Fatalf("a new column: %v", err)
	}
	if err := run(t.Context(), e, split.RunOptions{Resync: true}); program.Code(err) != program.Refused || !strings.Contains(err.Error(), "column colour has no counterpart") {
		t.Fatalf("a resync that would lose the column: %v", err)
	}
	service := s.open("target.db")
	_, err = service.Exec(`ALTER TABLE notes ADD COLUMN colour TEXT`)
	testkit.Check(t, err)
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified, Resync: true}))
	s.equal()
	var colour string
	testkit.Check(t, service.QueryRow(`SELECT colour FROM notes WHERE id = 3`).Scan(&colour))
}

// TestFullDiskEndsTheMove: before the application's own writes fail, the engine takes its
// triggers and its log out of the source.
func TestFullDiskEndsTheMove(t *testing.T) {
	t.Parallel()
	s := newSite(t, 300)
	e := s.engine(nil)
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	p := *s.plan
	p.Limits.Disk = 1 << 60
	e.Plan = &p
	if err := run(t.Context(), e, split.RunOptions{}); err == nil || !strings.Contains(err.Error(), "split notes was aborted") {
		t.Errorf("error %v", err)
	}
	var left int
	testkit.Check(t, s.app.QueryRow(`SELECT count(*) FROM sqlite_master WHERE name LIKE '%strangler%'`).Scan(&left))
	if left > 0 {
		t.Errorf("%d objects are left in the source", left)
	}
	s.exec(`INSERT INTO notes(slug) VALUES ('goes on')`)
}

// TestOldCopyOfTheSourceIsNoticed puts back a copy of the source that was made during the
// move: its triggers and its log are in order, and yet it lacks what was written since.
func TestOldCopyOfTheSourceIsNoticed(t *testing.T) {
	t.Parallel()
	s := newSite(t, 300)
	e := s.engine(nil)
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	old := filepath.Join(s.dir, "old.db")
	s.exec(`VACUUM INTO ?`, old)
	s.exec(`UPDATE notes SET body = 'lost with the copy' WHERE id = 3`)
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	testkit.Check(t, e.Close())
	testkit.Check(t, s.app.Close())
	source := filepath.Join(s.dir, "source.db")
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(source + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	testkit.Check(t, os.Rename(old, source))
	e = s.engine(nil)
	for range 2 { // it does not forget
		if err := run(t.Context(), e, split.RunOptions{Until: split.ByVerified}); program.Code(err) != program.Refused || !strings.Contains(err.Error(), "an old copy had been put back") {
			t.Fatalf("error %v", err)
		}
	}
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified, Resync: true}))
	s.equal()
}

// TestServiceAddsAColumn: what the target has besides does not disturb the move.
func TestServiceAddsAColumn(t *testing.T) {
	t.Parallel()
	s := newSite(t, 300)
	e := s.engine(nil)
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	_, err := s.open("target.db").Exec(`ALTER TABLE notes ADD COLUMN score INT NOT NULL DEFAULT 0`)
	testkit.Check(t, err)
	s.exec(`UPDATE notes SET body = 'after' WHERE id < 9`)
	testkit.Check(t, run(t.Context(), e, split.RunOptions{Until: split.ByVerified}))
	s.equal()
}
