package transfer_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

const schemaOfApp = `
	CREATE TABLE p (id INTEGER PRIMARY KEY);
	CREATE TABLE t (
		id INTEGER PRIMARY KEY,
		u TEXT UNIQUE,
		a INT, b INT,
		pid INT REFERENCES p(id) ON DELETE CASCADE,
		g TEXT AS (upper(u)) VIRTUAL,
		x,
		UNIQUE (a, b));
	CREATE UNIQUE INDEX t_low ON t(lower(x)) WHERE x IS NOT NULL AND b > 5;
	CREATE INDEX t_pid ON t(pid);
	CREATE TABLE c (k TEXT COLLATE NOCASE NOT NULL, n INT NOT NULL, v, PRIMARY KEY (k, n)) WITHOUT ROWID;
	CREATE TABLE d (id INTEGER PRIMARY KEY, v);
	CREATE TABLE e (k TEXT NOT NULL PRIMARY KEY, v);
	INSERT INTO p VALUES (1), (2), (3);`

var errCrash = errors.New("crash")

// A run is one random history: an application writes, the engine takes steps, and every
// now and then it crashes.
type run struct {
	t              *testing.T
	r              *rand.Rand
	app            *sql.DB
	source, target *sqlite.Database
	from, to       transfer.Side
	opts           transfer.Options
	crashes        int
	writing        bool
}

func newRun(t *testing.T, seed uint64, generic bool) *run {
	r := &run{t: t, r: rand.New(rand.NewPCG(seed, 7))}
	dir := t.TempDir()
	var err error
	r.app, err = sql.Open("sqlite3", "file:"+filepath.Join(dir, "source.db")+"?_journal_mode=WAL&_foreign_keys=on&_synchronous=off&_busy_timeout=5000")
	testkit.Check(t, err)
	r.app.SetMaxOpenConns(1)
	t.Cleanup(func() { r.app.Close() })
	r.exec(schemaOfApp)
	for range 40 {
		r.write()
	}
	r.source, err = sqlite.Open(t.Context(), "file:"+filepath.Join(dir, "source.db"), sqlite.Options{})
	testkit.Check(t, err)
	t.Cleanup(func() { r.source.Close() })
	r.target, err = sqlite.Open(t.Context(), filepath.Join(dir, "target.db"), sqlite.Options{Create: true})
	testkit.Check(t, err)
	t.Cleanup(func() { r.target.Close() })
	r.from, r.to = testkit.Sides(t.Context(), t, r.source, r.target, []string{"t", "c", "d", "e"}, true)
	r.opts = transfer.Options{BatchKeys: 1 + r.r.IntN(6), Generic: generic, Step: r.step}
	return r
}

func (r *run) exec(statement string, args ...any) {
	if _, err := r.app.ExecContext(r.t.Context(), statement, args...); err != nil && !strings.Contains(err.Error(), "constraint") {
		r.t.Fatalf("%s: %v", statement, err)
	}
}

// step is called wherever the engine could be interrupted: others write meanwhile, or it
// crashes.
func (r *run) step(name string) error {
	if !strings.Contains(name, "before the commit") { // this process holds a lock then
		for range r.r.IntN(3) {
			r.write()
		}
	}
	if r.writing && r.r.Float64() < 0.06 {
		return fmt.Errorf("%w at %s", errCrash, name)
	}
	return nil
}

// write is one write of the application.
func (r *run) write() {
	k := func() int { return r.r.IntN(25) }
	var u, x, pid any
	if r.r.IntN(8) > 0 {
		u = "u" + strconv.Itoa(r.r.IntN(12))
	}
	if r.r.IntN(3) > 0 {
		x = []any{"ab", "AB", 1, 1.0, []byte("ab"), "é"}[r.r.IntN(6)]
	}
	if r.r.IntN(3) > 0 {
		pid = 1 + r.r.IntN(3)
	}
	a, b := r.r.IntN(4), r.r.IntN(8)
	ck, cn := []string{"a", "A", "b", "B", "ä"}[r.r.IntN(5)], r.r.IntN(3)
	switch n := r.r.IntN(115); {
	case n >= 100:
		r.writePlain(k(), k(), x)
	case n < 20:
		r.exec(`INSERT INTO t(id, u, a, b, pid, x) VALUES (?, ?, ?, ?, ?, ?)`, k(), u, a, b, pid, x)
	case n < 33:
		r.exec(`INSERT OR REPLACE INTO t(id, u, a, b, pid, x) VALUES (?, ?, ?, ?, ?, ?)`, k(), u, a, b, pid, x)
	case n < 40:
		r.exec(`UPDATE OR REPLACE t SET u = ?, a = ?, b = ?, x = ? WHERE id = ?`, u, a, b, x, k())
	case n < 50:
		r.exec(`UPDATE t SET u = ?, a = ?, b = ?, pid = ?, x = ? WHERE id = ?`, u, a, b, pid, x, k())
	case n < 58:
		r.exec(`UPDATE t SET id = ? WHERE id = ?`, k(), k())
	case n < 61:
		r.exec(`UPDATE OR REPLACE t SET rowid = ? WHERE id = ?`, k(), k())
	case n < 70:
		r.exec(`DELETE FROM t WHERE id = ?`, k())
	case n < 75:
		r.swap(k(), k())
	case n < 79:
		r.exec(`DELETE FROM p WHERE id = ?`, 1+r.r.IntN(3))
	case n < 83:
		r.exec(`INSERT OR IGNORE INTO p VALUES (?)`, 1+r.r.IntN(3))
	case n < 86:
		r.exec(`INSERT INTO t(id, u, a, b, pid) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET u = excluded.u, a = excluded.a`, k(), u, a, b, pid)
	case n < 90:
		r.exec(`INSERT OR REPLACE INTO c VALUES (?, ?, ?)`, ck, cn, x)
	case n < 94:
		r.exec(`UPDATE OR REPLACE c SET k = ?, n = ? WHERE k = ?`, ck, cn, []string{"a", "b", "ä"}[r.r.IntN(3)])
	case n < 97:
		r.exec(`DELETE FROM c WHERE k = ?`, ck)
	default:
		r.exec(`INSERT INTO c VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET v = excluded.v`, ck, cn, x)
	}
}

// writePlain is a write into a table where nothing is unique but the key.
func (r *run) writePlain(i, j int, v any) {
	name := []string{"id", "ID", "rowid", "oid", "_rowid_", "RowID"}[r.r.IntN(6)]
	switch r.r.IntN(10) {
	case 8: // displaces the row that has this number, whatever its key
		r.exec(`INSERT OR REPLACE INTO e(rowid, k, v) VALUES (?, ?, ?)`, 1+j%8, i, v)
	case 9:
		r.exec(`UPDATE OR REPLACE e SET _rowid_ = ? WHERE k = ?`, 1+i%8, strconv.Itoa(j))
	case 0:
		r.exec(`INSERT OR REPLACE INTO d VALUES (?, ?)`, i, v)
	case 1:
		r.exec(`UPDATE OR REPLACE d SET `+name+` = ? WHERE id = ?`, i, j)
	case 2:
		r.exec(`UPDATE OR REPLACE d SET (v, `+name+`) = (SELECT ?, ?) WHERE id = ?`, v, i, j)
	case 3:
		r.exec(`INSERT INTO d VALUES (?, ?) ON CONFLICT DO UPDATE SET `+name+` = ?`, i, v, j)
	case 4:
		r.exec(`INSERT OR REPLACE INTO e VALUES (?, ?)`, i, v)
	case 5:
		r.exec(`UPDATE OR REPLACE e SET k = ? WHERE k = ?`, i, strconv.Itoa(j))
	case 6:
		r.exec(`UPDATE d SET v = ? WHERE id = ?`, v, i)
	default:
		r.exec(`DELETE FROM d WHERE id = ?`, i)
	}
}

// swap exchanges unique values between two rows, and sometimes takes it back.
func (r *run) swap(i, j int) {
	tx, err := r.app.BeginTx(r.t.Context(), nil)
	testkit.Check(r.t, err)
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	var ui, uj any
	if i == j || tx.QueryRow(`SELECT u FROM t WHERE id = ?`, i).Scan(&ui) != nil || tx.QueryRow(`SELECT u FROM t WHERE id = ?`, j).Scan(&uj) != nil {
		return
	}
	for _, s := range []struct {
		u  any
		id int
	}{{nil, i}, {ui, j}, {uj, i}} {
		if _, err := tx.Exec(`UPDATE t SET u = ? WHERE id = ?`, s.u, s.id); err != nil {
			return
		}
	}
	if r.r.IntN(10) < 7 {
		testkit.Check(r.t, tx.Commit())
	}
}

// engine takes steps in any order until the engine is done or fails.
func (r *run) engine(steps int) error {
	ctx := r.t.Context()
	way, err := transfer.New(ctx, r.from, r.to, r.opts)
	testkit.Check(r.t, err)
	r.writing = true
	for range steps {
		var err error
		switch n := r.r.IntN(10); {
		case n < 4:
			_, err = way.Copy(ctx, r.r.IntN(way.Tables()), 1+r.r.IntN(7))
		case n < 8:
			_, err = way.Apply(ctx)
		case way.Copied() && n < 9:
			_, err = way.Verify(ctx, r.r.IntN(way.Tables()), 1+r.r.IntN(9))
		case way.Copied():
			_, err = way.VerifyDirty(ctx, 5)
		}
		if errors.Is(err, errCrash) {
			r.crashes++
			if way, err = transfer.New(ctx, r.from, r.to, r.opts); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		r.write()
	}
	r.writing, r.opts.Step = false, nil
	if way, err = transfer.New(ctx, r.from, r.to, r.opts); err != nil {
		return err
	}
	if err := testkit.Finish(ctx, way); err != nil {
		return err
	}
	for table := range way.Tables() {
		for passed := false; !passed; {
			v, err := way.Verify(ctx, table, 10)
			if err != nil {
				return err
			}
			passed = v.Passed
		}
	}
	return nil
}

// contents prints every row of both tables with the kinds and bytes of its values; SQLite
// does it, not the engine.
func contents(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path)
	testkit.Check(t, err)
	defer db.Close()
	var all strings.Builder
	for _, query := range []string{
		`SELECT id || '|' || group_concat(typeof(v) || ':' || hex(v), ',') FROM (SELECT id, u AS v, 1 AS n FROM t UNION ALL SELECT id, a, 2 FROM t UNION ALL SELECT id, b, 3 FROM t
			UNION ALL SELECT id, pid, 4 FROM t UNION ALL SELECT id, x, 5 FROM t UNION ALL SELECT id, g, 6 FROM t ORDER BY id, n) GROUP BY id`,
		`SELECT hex(k) || '|' || n || '|' || typeof(v) || '|' || coalesce(hex(v), '') FROM c ORDER BY 1`,
		`SELECT id || '|' || typeof(v) || '|' || coalesce(hex(v), '') FROM d ORDER BY id`,
		`SELECT hex(k) || '|' || typeof(v) || '|' || coalesce(hex(v), '') FROM e ORDER BY 1`,
	} {
		for _, line := range lines(t, db, query) {
			all.WriteString(line + "\n")
		}
	}
	return all.String()
}

// lines is what a query of one column gives.
func lines(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	testkit.Check(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var line string
		testkit.Check(t, rows.Scan(&line))
		all = append(all, line)
	}
	testkit.Check(t, rows.Err())
	return all
}

func seeds(short int) uint64 {
	if os.Getenv("SOAK") != "" {
		return 2000
	}
	return uint64(short)
}

// TestRandomHistoriesEndEqual interleaves every kind of write with every step of the
// engine and with crashes between any two of its commits.
func TestRandomHistoriesEndEqual(t *testing.T) {
	var crashes, rows atomic.Int64
	t.Cleanup(func() {
		if crashes.Load() == 0 || rows.Load() < 100 {
			t.Errorf("%d crashes, %d rows: the histories prove little", crashes.Load(), rows.Load())
		}
	})
	for seed := range seeds(30) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			r := newRun(t, seed, seed%2 == 0)
			testkit.Roles(t.Context(), t, r.from, r.to)
			if err := r.engine(60); err != nil {
				t.Fatal(err)
			}
			want, have := contents(t, r.source.Path()), contents(t, r.target.Path())
			if want != have {
				t.Fatalf("the source holds\n%s\nthe target holds\n%s", want, have)
			}
			crashes.Add(int64(r.crashes))
			rows.Add(int64(strings.Count(want, "\n")))
		})
	}
}

// TestHolesInTheCaptureAreNotSilent takes single safeguards away. The engine has to
// notice, or the tables differ: if neither happens in any history, this test or the
// safeguard is worth nothing.
func TestHolesInTheCaptureAreNotSilent(t *testing.T) {
	for _, hole := range []string{"bi", "bu", "ak", "ad", "ai"} {
		t.Run(hole, func(t *testing.T) {
			t.Parallel()
			caught, silent := 0, 0
			for seed := range uint64(8) {
				r := newRun(t, seed, seed%2 == 0)
				testkit.Roles(t.Context(), t, r.from, r.to)
				r.without(hole)
				switch err := r.engine(60); {
				case err != nil:
					caught++
				case contents(t, r.source.Path()) != contents(t, r.target.Path()):
					silent++
				}
			}
			if caught == 0 {
				t.Errorf("no history of 8 noticed that the triggers %s are missing", hole)
			}
			if silent > 0 {
				t.Errorf("%d histories ended with tables that differ, and said nothing", silent)
			}
		})
	}
}

// without removes one kind of trigger and makes the engine believe that it never was.
func (r *run) without(kind string) {
	var captured string
	testkit.Check(r.t, r.app.QueryRow(`SELECT captured FROM _strangler_ctl`).Scan(&captured))
	for _, table := range []string{"t", "c"} {
		r.exec(`DROP TRIGGER "_strangler_kit.` + table + `.` + kind + `"`)
	}
	snap, err := r.source.Snapshot(context.Background(), r.from.Move)
	testkit.Check(r.t, err)
	err = snap.Captured(r.t.Context())
	var lost *dialect.LostError
	if !errors.As(err, &lost) {
		r.t.Fatalf("dropped triggers are not noticed: %v", err)
	}
	testkit.Check(r.t, snap.Close())
	hash := r.triggers()
	_, rest, _ := strings.Cut(captured, `"triggers":"`)
	old, _, _ := strings.Cut(rest, `"`)
	r.exec(`UPDATE _strangler_ctl SET captured = replace(captured, ?, ?)`, old, hash)
}

// triggers is the hash of the engine's triggers, as the engine records it.
func (r *run) triggers() string {
	rows, err := r.app.Query(`SELECT name, lower(tbl_name), sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE '\_strangler\_%' ESCAPE '\' ORDER BY name`)
	testkit.Check(r.t, err)
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var name, table, text string
		testkit.Check(r.t, rows.Scan(&name, &table, &text))
		fmt.Fprintf(&all, "%s\x00%s\x00%s\x00", name, table, text)
	}
	testkit.Check(r.t, rows.Err())
	sum := sha256.Sum256([]byte(all.String()))
	return hex.EncodeToString(sum[:12])
}
