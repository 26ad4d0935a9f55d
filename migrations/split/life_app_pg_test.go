package split_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// shopPlan moves three tables that refer to each other and to users, who stay.
const shopPlan = `tables: [orders, lines, notes]
create_target: true
loose_keys: [{ from: orders.user_id, to: users.id, on_delete: delete }]
`

// shopSchema has an identity and a serial, keys of one and of two columns, cascades, and a
// table that refers to itself.
var shopSchema = []string{
	`CREATE TABLE users (id int PRIMARY KEY)`,
	`CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE, u text UNIQUE NOT NULL, v int NOT NULL)`,
	`CREATE TABLE lines (order_id bigint REFERENCES orders ON DELETE CASCADE, n int, amount numeric(8,2) NOT NULL, PRIMARY KEY (order_id, n))`,
	`CREATE TABLE notes (id serial PRIMARY KEY, order_id bigint REFERENCES orders ON DELETE SET NULL, above int REFERENCES notes ON DELETE SET NULL)`,
	`INSERT INTO users SELECT n FROM generate_series(1, 400) n`,
}

type (
	shopOrder struct{ user, v int }
	shopLine  struct{ order, n int }
	shopNote  struct{ order, above int } // 0: NULL
)

// A shopApp writes to three tables where they are taken, and deletes users where they stay.
// Its ledger says what the tables hold if each write that was acknowledged counts once. No
// write depends on whether the orders of a user who is gone are gone already.
type shopApp struct {
	t               *testing.T
	r               *rand.Rand
	dbs             [2]*sql.DB
	side            int
	orders          map[int]shopOrder
	lines           map[shopLine]int
	notes           map[int]shopNote
	users           []int
	last            [2]int // numbers of orders and of notes, each of which is used once
	renumbered      int
	writes, refused int
	nobodyLeaves    bool // no user is deleted
}

func newShopApp(t *testing.T, seed uint64, source, target *testkit.Place) *shopApp {
	t.Helper()
	source.Exec(shopSchema...)
	a := &shopApp{t: t, r: rand.New(rand.NewPCG(seed, 4)), orders: map[int]shopOrder{}, lines: map[shopLine]int{}, notes: map[int]shopNote{}}
	for i, p := range []*testkit.Place{source, target} {
		db, err := sql.Open("pgx", p.DSN)
		testkit.Check(t, err)
		t.Cleanup(func() { db.Close() })
		a.dbs[i] = db
	}
	for n := range 400 {
		a.users = append(a.users, n+1)
	}
	for range 60 {
		a.write()
	}
	return a
}

// begin lets the app write until end, which may be called again.
func (a *shopApp) begin() (end func()) {
	ctx, stop := context.WithCancel(a.t.Context())
	var app sync.WaitGroup
	app.Go(func() {
		for ctx.Err() == nil && a.write() {
			time.Sleep(8 * time.Millisecond) // the load
		}
	})
	end = func() {
		stop()
		app.Wait()
	}
	a.t.Cleanup(end)
	return end
}

// A shopWrite is one statement, which finds one number, and what it does to the ledger.
type shopWrite struct {
	statement string
	does      func(number int)
	stays     bool // it writes a table that stays
}

// write makes one write, and reports whether it can go on.
func (a *shopApp) write() bool {
	w := a.next()
	for tries := 0; ; tries++ {
		side := a.side
		if w.stays {
			side = 0
		}
		var number int
		err := a.dbs[side].QueryRowContext(a.t.Context(), w.statement).Scan(&number)
		if err == nil {
			w.does(number)
			a.writes++
			return true
		}
		if w.stays || !strings.Contains(err.Error(), "is owned by") || tries > 20_000 {
			a.t.Errorf("the application got an error: %s: %v", w.statement, err)
			return false
		}
		a.refused++
		a.side = 1 - a.side
		time.Sleep(time.Millisecond) // between seal and own nobody takes writes
	}
}

// next makes up a write. What refers to a row that may be gone is left alone.
func (a *shopApp) next() shopWrite {
	order, note := anyOf(a.r, a.orders), anyOf(a.r, a.notes)
	switch n := a.r.IntN(20); {
	case n < 5 || order == 0:
		return a.place()
	case n < 9: // a write that counted twice would show
		return shopWrite{statement: fmt.Sprintf(`WITH w AS (UPDATE orders SET v = v + 1 WHERE id = %d RETURNING 1) SELECT count(*) FROM w`, order), does: func(n int) {
			a.once("order", order, n)
			a.orders[order] = shopOrder{a.orders[order].user, a.orders[order].v + 1}
		}}
	case n < 11:
		l, amount := shopLine{order, 1 + a.r.IntN(4)}, a.r.IntN(99999)
		return shopWrite{
			statement: fmt.Sprintf(`WITH w AS (INSERT INTO lines VALUES (%d, %d, %d / 100.0) ON CONFLICT (order_id, n) DO UPDATE SET amount = excluded.amount) SELECT 0`, l.order, l.n, amount),
			does:      func(int) { a.lines[l] = amount },
		}
	case n < 12:
		return a.renumber(order)
	case n < 15:
		return a.remark(order, note)
	case n < 17 && note != 0:
		return shopWrite{statement: fmt.Sprintf(`WITH w AS (DELETE FROM notes WHERE id = %d RETURNING 1) SELECT count(*) FROM w`, note), does: func(n int) {
			a.once("note", note, n)
			delete(a.notes, note)
			for id, other := range a.notes {
				if other.above == note {
					a.notes[id] = shopNote{other.order, 0}
				}
			}
		}}
	case n < 18 && len(a.users) > 3 && !a.nobodyLeaves:
		return a.leave()
	}
	return shopWrite{statement: fmt.Sprintf(`WITH w AS (DELETE FROM orders WHERE id = %d RETURNING 1) SELECT count(*) FROM w`, order), does: func(n int) {
		a.once("order", order, n)
		a.forget(order)
	}}
}

// place makes an order and two of its lines at once.
func (a *shopApp) place() shopWrite {
	user := a.users[a.r.IntN(min(5, len(a.users)))]
	return shopWrite{statement: fmt.Sprintf(`
		WITH o AS (INSERT INTO orders (user_id, u, v) VALUES (%d, 'after %d', 0) RETURNING id),
			l AS (INSERT INTO lines SELECT id, n, n FROM o, generate_series(1, 2) n)
		SELECT id FROM o`, user, a.last[0]), does: func(id int) {
		a.used(0, id)
		a.orders[id] = shopOrder{user, 0}
		a.lines[shopLine{id, 1}], a.lines[shopLine{id, 2}] = 100, 200
	}}
}

// renumber changes the key of an order's first lines to one that was never used.
func (a *shopApp) renumber(order int) shopWrite {
	a.renumbered += 10
	to := a.renumbered
	return shopWrite{statement: fmt.Sprintf(`WITH w AS (UPDATE lines SET n = n + %d WHERE order_id = %d AND n < 10 RETURNING 1) SELECT count(*) FROM w`, to, order), does: func(int) {
		for l, amount := range maps.Clone(a.lines) {
			if l.order == order && l.n < 10 {
				delete(a.lines, l)
				a.lines[shopLine{order, l.n + to}] = amount
			}
		}
	}}
}

// remark makes a note on an order and perhaps below another note.
func (a *shopApp) remark(order, above int) shopWrite {
	return shopWrite{statement: fmt.Sprintf(`WITH w AS (INSERT INTO notes (order_id, above) VALUES (%d, nullif(%d, 0)) RETURNING id) SELECT id FROM w`, order, above), does: func(id int) {
		a.used(1, id)
		a.notes[id] = shopNote{order, above}
	}}
}

// leave deletes a user, and with him his orders: at once or, if they are elsewhere, later.
func (a *shopApp) leave() shopWrite {
	i := a.r.IntN(min(5, len(a.users)))
	user := a.users[i]
	return shopWrite{stays: true, statement: fmt.Sprintf(`WITH w AS (DELETE FROM users WHERE id = %d RETURNING 1) SELECT count(*) FROM w`, user), does: func(n int) {
		a.once("user", user, n)
		a.users = slices.Delete(a.users, i, i+1)
		for id, o := range a.orders {
			if o.user == user {
				a.forget(id)
			}
		}
	}}
}

func (a *shopApp) forget(order int) {
	delete(a.orders, order)
	maps.DeleteFunc(a.lines, func(l shopLine, _ int) bool { return l.order == order })
	for id, n := range a.notes {
		if n.order == order {
			a.notes[id] = shopNote{0, n.above}
		}
	}
}

// once makes sure that a row of the ledger was there.
func (a *shopApp) once(what string, id, found int) {
	if found != 1 {
		a.t.Errorf("%s %d, which was acknowledged, was found %d times", what, id, found)
	}
}

// used makes sure that no number is handed out twice.
func (a *shopApp) used(of, id int) {
	if id <= a.last[of] {
		a.t.Errorf("number %d was handed out after %d", id, a.last[of])
	}
	a.last[of] = id
}

// anyOf is one of the keys of a map, or 0: one of the last ones, so that they meet.
func anyOf[V any](r *rand.Rand, m map[int]V) int {
	keys := slices.Sorted(maps.Keys(m))
	if len(keys) == 0 {
		return 0
	}
	return keys[len(keys)-1-r.IntN(min(60, len(keys)))]
}

// check compares the tables in one database with the ledger, value by value.
func (a *shopApp) check(side int) {
	a.t.Helper()
	var want []string
	for id, o := range a.orders {
		want = append(want, fmt.Sprintf("order %d of %d: %d", id, o.user, o.v))
	}
	for l, amount := range a.lines {
		want = append(want, fmt.Sprintf("line %d of %d: %d.%02d", l.n, l.order, amount/100, amount%100))
	}
	for id, n := range a.notes {
		want = append(want, fmt.Sprintf("note %d on %d below %d", id, n.order, n.above))
	}
	var text string
	err := a.dbs[side].QueryRowContext(context.Background(), `
		SELECT coalesce(string_agg(row, chr(10)), '') FROM (
			SELECT format('order %s of %s: %s', id, user_id, v) FROM orders
			UNION ALL SELECT format('line %s of %s: %s', n, order_id, amount) FROM lines
			UNION ALL SELECT format('note %s on %s below %s', id, coalesce(order_id, 0), coalesce(above, 0)) FROM notes) AS all_rows(row)`).Scan(&text)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		a.t.Fatal(err)
	}
	have := strings.Split(text, "\n")
	slices.Sort(want)
	slices.Sort(have)
	for _, row := range want {
		if _, found := slices.BinarySearch(have, row); !found {
			a.t.Errorf("database %d lacks %s", side, row)
		}
	}
	for _, row := range have {
		if _, found := slices.BinarySearch(want, row); !found {
			a.t.Errorf("database %d holds %s, which nobody wrote", side, row)
		}
	}
	if len(have) != len(want) {
		a.t.Errorf("database %d holds %d rows, acknowledged were %d", side, len(have), len(want))
	}
}
