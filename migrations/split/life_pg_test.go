package split_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// A life on PostgreSQL: each command is killed, or the servers end all of its sessions, at
// random until it ends well, while an application writes to several tables. SOAK=1 lives 50.
func TestLifeOnPostgreSQLSurvivesEveryFault(t *testing.T) {
	t.Parallel()
	lives, tries := 2, 1
	if n, _ := strconv.Atoi(os.Getenv("SOAK")); n > 0 {
		lives, tries = max(50, n), 3
	}
	for seed := range lives {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			if os.Getenv("SOAK") == "" {
				t.Parallel()
			}
			livePostgreSQL(t, uint64(seed), tries)
		})
	}
}

// livePostgreSQL lives one life, in which each command meets up to tries faults.
func livePostgreSQL(t *testing.T, seed uint64, tries int) {
	source, target := testkit.PostgreSQL(t), testkit.PostgreSQL(t)
	s, r := pairPlan(t, source, target, shopPlan), rand.New(rand.NewPCG(seed, 9))
	a := newShopApp(t, seed, source, target)
	end := a.begin()
	faults := 0
	for _, command := range []string{"run", "cutover", "run", "rollback", "cutover", "run", "complete"} {
		if command == "complete" { // both sides hold all of it
			end()
			s.must("run")
			a.check(0)
			a.check(1)
			for range 50 {
				a.write()
			}
			a.nobodyLeaves = true // from some point of complete on the orders would stay
			end = a.begin()
		}
		faults += s.outlives(command, r, tries, source, target)
	}
	end()
	a.check(1)
	for _, at := range []*testkit.Place{source, target} {
		if left := at.Ask(leftBehind); left != "" {
			t.Errorf("left behind: %s", left)
		}
	}
	if faults == 0 || a.writes == 0 {
		t.Errorf("%d faults and %d writes show nothing", faults, a.writes)
	}
	t.Logf("%d faults, %d writes, %d refused", faults, a.writes, a.refused)
}

// outlives gives a command again until it ends well, and counts its faults, up to tries.
func (s *stage) outlives(command string, r *rand.Rand, tries int, places ...*testkit.Place) (faults int) {
	s.t.Helper()
	for try := 0; ; try++ {
		var ok bool
		var words string
		switch kind := r.IntN(3); {
		case try >= tries:
			ok, words = s.do(command, "", 0)
		case kind == 0:
			ok, words = s.do(command, strconv.Itoa(1+r.IntN(40)), 0)
		case kind == 1:
			ok, words = s.do(command, "", time.Duration(50+r.IntN(400))*time.Millisecond)
		default:
			ok, words = s.cutOff(command, time.Duration(50+r.IntN(400))*time.Millisecond, places...)
		}
		if ok {
			return faults
		}
		if faults++; try > tries+1 {
			s.t.Fatalf("%s does not end well: %s", command, words)
		}
	}
}

// cutOff runs a command whose sessions the servers end after a time.
func (s *stage) cutOff(command string, after time.Duration, places ...*testkit.Place) (bool, string) {
	s.t.Helper()
	var words strings.Builder
	cmd := s.start(&words, command)
	timer := time.NewTimer(after)
	defer timer.Stop()
	<-timer.C
	endSessions(places...)
	err := cmd.Wait()
	return err == nil, words.String()
}

// A pgApp writes where the tables are taken, and keeps a ledger of what was acknowledged.
type pgApp struct {
	t               *testing.T
	sides           []*testkit.Place
	side            int
	r               *rand.Rand
	ledger          map[int]string // u and v of each row
	writes, refused int
	crashes         bool // servers crash, and the app waits until they are back
}

// newPgApp makes the application's table t in the source.
func newPgApp(t *testing.T, seed uint64, source, target *testkit.Place) *pgApp {
	t.Helper()
	source.Exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT UNIQUE NOT NULL, v INTEGER NOT NULL)`, `INSERT INTO t SELECT n, 'u' || n, 0 FROM generate_series(1, 60) n`)
	a := &pgApp{t: t, sides: []*testkit.Place{source, target}, r: rand.New(rand.NewPCG(seed, 4)), ledger: map[int]string{}}
	for n := range 60 {
		a.ledger[n+1] = fmt.Sprintf("u%d 0", n+1)
	}
	return a
}

// begin lets the app write until end.
func (a *pgApp) begin() (end func()) {
	var app sync.WaitGroup
	var stop atomic.Bool
	app.Go(func() {
		for !stop.Load() && a.write() {
			time.Sleep(5 * time.Millisecond) // the load
		}
	})
	end = func() {
		stop.Store(true)
		app.Wait()
	}
	a.t.Cleanup(end)
	return end
}

// check compares the table in one database with the ledger.
func (a *pgApp) check(dsn string) {
	a.t.Helper()
	want := []string{}
	for _, id := range slices.Sorted(maps.Keys(a.ledger)) {
		want = append(want, fmt.Sprint(id, " ", a.ledger[id]))
	}
	if have := query(a.t, dsn, `SELECT coalesce(string_agg(id || ' ' || u || ' ' || v, ', ' ORDER BY id), '') FROM t`); have != strings.Join(want, ", ") {
		a.t.Errorf("the table holds\n%s\nacknowledged was\n%s", have, strings.Join(want, ", "))
	}
}

// write makes one write, and reports whether it can go on.
func (a *pgApp) write() bool {
	id, v := 1+a.r.IntN(60), a.r.IntN(1000)
	u := fmt.Sprintf("u%d", id)
	statement, becomes := fmt.Sprintf(`DELETE FROM t WHERE id = %d`, id), ""
	if a.r.IntN(4) > 0 {
		statement = fmt.Sprintf(`INSERT INTO t VALUES (%d, '%s', %d) ON CONFLICT (id) DO UPDATE SET v = excluded.v`, id, u, v)
		becomes = fmt.Sprint(u, " ", v)
	}
	for tries := 0; ; tries++ {
		err := a.sides[a.side].Try(statement)
		if err == nil {
			break
		}
		if a.crashes && isCrash(err) { // perhaps it was committed: the same again comes to the same
			time.Sleep(time.Millisecond)
			continue
		}
		if !strings.Contains(err.Error(), "is owned by") || tries > 20_000 {
			a.t.Errorf("the application got an error: %v", err)
			return false
		}
		a.refused++
		a.side = 1 - a.side
		time.Sleep(time.Millisecond) // between seal and own nobody takes writes
	}
	if a.writes++; becomes == "" {
		delete(a.ledger, id)
	} else {
		a.ledger[id] = becomes
	}
	return true
}

// isCrash reports whether an error comes from a server that is going, gone or coming back.
func isCrash(err error) bool {
	var e *pgconn.PgError
	return !errors.As(err, &e) || strings.HasPrefix(e.Code, "57P")
}
