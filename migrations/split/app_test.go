package split_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/stranglerfig/toolkit/internal/sqlite" // the driver
)

// A line is a row of the table t but its key.
type line struct {
	u string // unique
	v int
}

// An app is an application that knows nothing of the engine. It keeps a ledger: what the
// table has to hold if every write that was acknowledged counts, and no other. It writes
// to the source, and to the target when the source refuses it, as one that was told by
// the error would.
type app struct {
	t    *testing.T
	r    *rand.Rand
	dbs  [2]*sql.DB // the target may not be there yet
	dir  string
	side int

	journal string // mode of the source
	made    string // schema of the source as the application made it

	mu      sync.Mutex
	ledger  map[int]line
	writes  int
	refused int
	stop    context.CancelFunc
	ended   sync.WaitGroup
	quiet   sync.Mutex // held while the app has to be still
}

func newApp(t *testing.T, dir string, seed uint64, journal string) *app {
	t.Helper()
	a := &app{t: t, dir: dir, journal: journal, r: rand.New(rand.NewPCG(seed, 4)), ledger: map[int]line{}}
	a.dbs[0] = a.open("source")
	if _, err := a.dbs[0].ExecContext(t.Context(), `CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, u TEXT UNIQUE NOT NULL, v INT)`); err != nil {
		t.Fatal(err)
	}
	a.made = a.schema()
	for range 60 {
		a.write(t.Context())
	}
	return a
}

// fork is an application that goes on where this one is, on copies of its databases.
func (a *app) fork(t *testing.T, dir string, seed uint64) *app {
	t.Helper()
	f := &app{t: t, dir: dir, journal: a.journal, side: a.side, made: a.made, r: rand.New(rand.NewPCG(seed, 4)), ledger: maps.Clone(a.ledger)}
	f.dbs[0] = f.open("source")
	if a.dbs[1] != nil {
		f.dbs[1] = f.open("target")
	}
	return f
}

// open opens one side as an application does. Its patience is that of a lock by strangers
// in the long form of the tests; no engine may use it up.
func (a *app) open(side string) *sql.DB {
	a.t.Helper()
	journal := a.journal
	if side == "target" {
		journal = "WAL"
	}
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(a.dir, side+".db")+"?_journal_mode="+journal+"&_busy_timeout=45000&_txlock=immediate&_synchronous=normal")
	if err != nil {
		a.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	a.t.Cleanup(func() { db.Close() })
	return db
}

// begin lets the app write until pause.
func (a *app) begin() {
	ctx, stop := context.WithCancel(a.t.Context())
	a.stop = stop
	a.t.Cleanup(a.end)
	a.ended.Go(func() {
		for ctx.Err() == nil {
			a.quiet.Lock()
			a.write(a.t.Context())
			a.quiet.Unlock()
			time.Sleep(2 * time.Millisecond) // the load, not a wait: some hundred writes a second
		}
	})
}

func (a *app) end() {
	a.stop()
	a.ended.Wait()
}

// A write is statements in one transaction, and what they do to the ledger.
type write struct {
	statements []string
	does       func(m map[int]line)
}

func (a *app) write(ctx context.Context) {
	w := a.next()
	for tries := 0; ; tries++ {
		err := a.try(ctx, w)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "is owned by") || tries > 20_000 {
			a.t.Errorf("the application got an error: %v", err)
			return
		}
		a.refused++
		if a.side = 1 - a.side; a.side == 1 && a.dbs[1] == nil {
			a.dbs[1] = a.open("target")
		}
		if tries > 1 {
			time.Sleep(time.Millisecond) // between seal and own nobody takes writes
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w.does(a.ledger)
	a.writes++
}

func (a *app) try(ctx context.Context, w write) error {
	tx, err := a.dbs[a.side].BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	for _, s := range w.statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return tx.Commit()
}

const keys = 60

// next makes up a write: all kinds that move rows behind the back of a naive engine.
func (a *app) next() write {
	id, v := 1+a.r.IntN(keys), a.r.IntN(1000)
	u := fmt.Sprintf("u%d", a.r.IntN(keys))
	switch n := a.r.IntN(10); {
	case n < 3: // displaces whoever has u
		return write{[]string{fmt.Sprintf(`INSERT OR REPLACE INTO t VALUES (%d, '%s', %d)`, id, u, v)}, func(m map[int]line) { displace(m, u); m[id] = line{u, v} }}
	case n < 6:
		return write{[]string{fmt.Sprintf(`UPDATE t SET v = v + 1 WHERE id = %d`, id)}, func(m map[int]line) {
			if l, ok := m[id]; ok {
				m[id] = line{l.u, l.v + 1} // a write that counted twice would show
			}
		}}
	case n < 7:
		return write{[]string{fmt.Sprintf(`DELETE FROM t WHERE id = %d`, id)}, func(m map[int]line) { delete(m, id) }}
	case n < 8:
		return a.rekey(id)
	default:
		return swap(id, 1+a.r.IntN(keys))
	}
}

// rekey moves a row to another key and displaces the row that is there.
func (a *app) rekey(id int) write {
	to := 1 + a.r.IntN(keys)
	return write{[]string{fmt.Sprintf(`UPDATE OR REPLACE t SET id = %d WHERE id = %d`, to, id)}, func(m map[int]line) {
		if l, ok := m[id]; ok {
			delete(m, id)
			m[to] = l
		}
	}}
}

// swap exchanges the unique values of two rows.
func swap(i, j int) write {
	return write{[]string{
		fmt.Sprintf(`CREATE TEMP TABLE IF NOT EXISTS s AS SELECT * FROM t WHERE id IN (%d, %d)`, i, j),
		fmt.Sprintf(`UPDATE t SET u = 'swap' || id WHERE id IN (%d, %d) AND (SELECT count(*) FROM s) = 2`, i, j),
		fmt.Sprintf(`UPDATE t SET u = (SELECT u FROM s WHERE s.id <> t.id) WHERE id IN (%d, %d) AND (SELECT count(*) FROM s) = 2`, i, j),
		`DROP TABLE s`,
	}, func(m map[int]line) {
		a, oka := m[i]
		b, okb := m[j]
		if oka && okb && i != j {
			m[i], m[j] = line{b.u, a.v}, line{a.u, b.v}
		}
	}}
}

func displace(m map[int]line, u string) {
	maps.DeleteFunc(m, func(_ int, l line) bool { return l.u == u })
}

// check compares the table in one database with the ledger, value by value.
func (a *app) check(side string) {
	a.t.Helper()
	db := a.open(side)
	defer db.Close()
	rows, err := db.QueryContext(a.t.Context(), `SELECT id, u, v, typeof(id) || typeof(u) || typeof(v) FROM t`)
	if err != nil {
		a.t.Fatal(err)
	}
	defer rows.Close()
	have := map[int]line{}
	for rows.Next() {
		var id int
		var l line
		var kinds string
		if err := rows.Scan(&id, &l.u, &l.v, &kinds); err != nil {
			a.t.Fatal(err)
		}
		if kinds != "integertextinteger" {
			a.t.Errorf("%s: row %d holds %s", side, id, kinds)
		}
		have[id] = l
	}
	if err := rows.Err(); err != nil {
		a.t.Fatal(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(a.ledger)) {
		if have[id] != a.ledger[id] {
			a.t.Errorf("%s: row %d is %v, acknowledged was %v", side, id, have[id], a.ledger[id])
		}
		delete(have, id)
	}
	if len(have) > 0 {
		a.t.Errorf("%s: rows that nobody wrote: %v", side, have)
	}
}

// untouched makes sure that the source's schema is as the application made it.
func (a *app) untouched() {
	a.t.Helper()
	if have := a.schema(); have != a.made {
		a.t.Errorf("the schema of the source is now\n%s\nand was\n%s", have, a.made)
	}
}

// schema is what an application can see of the source's schema.
func (a *app) schema() string {
	a.t.Helper()
	var text string
	err := a.dbs[0].QueryRowContext(a.t.Context(), `SELECT group_concat(type || ' ' || name || ' ' || tbl_name || ': ' || coalesce(sql, '-'), char(10)) FROM sqlite_master`).Scan(&text)
	if err != nil {
		a.t.Fatal(err)
	}
	return text
}

// bare makes sure that nothing of the engine is left in a database but who owns the table.
func (a *app) bare(side string) {
	a.t.Helper()
	db := a.open(side)
	defer db.Close()
	var left string
	err := db.QueryRowContext(a.t.Context(), `
		SELECT coalesce(group_concat(name), '')
		FROM sqlite_master
		WHERE name LIKE '%\_strangler\_%' ESCAPE '\' AND tbl_name <> '_strangler_owner'`).Scan(&left)
	if err != nil || left != "" {
		a.t.Errorf("%s: left behind: %s %v", side, left, err)
	}
}
