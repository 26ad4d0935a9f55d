package transfer_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/dialect/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// TestRowsGoWithWhatTheyReferTo: after the target has taken over, deleting a row of the
// source takes along what referred to it, though the table has moved; and every change
// comes back to the source's copy.
func TestRowsGoWithWhatTheyReferTo(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	app := openApp(t, filepath.Join(dir, "source.db"))
	exec := func(statement string) error { _, err := app.ExecContext(ctx, statement); return err }
	testkit.Check(t, exec(`
		CREATE TABLE users (id INTEGER PRIMARY KEY, mail TEXT UNIQUE);
		CREATE TABLE shops (id INTEGER PRIMARY KEY);
		CREATE TABLE v (id INTEGER PRIMARY KEY, v TEXT, user_id INT REFERENCES users(id) ON DELETE CASCADE, shop_id INT REFERENCES shops(id) ON DELETE SET NULL);
		INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd');
		INSERT INTO shops VALUES (1), (2);
		INSERT INTO v VALUES (1, 'x', 1, 1), (2, 'y', 2, 1), (3, 'z', 3, 2), (4, 'w', 4, 2), (5, 'u', NULL, NULL);`))
	source, err := sqlite.Open(ctx, filepath.Join(dir, "source.db"), sqlite.Options{})
	testkit.Check(t, err)
	t.Cleanup(func() { source.Close() })
	target, err := sqlite.Open(ctx, filepath.Join(dir, "target.db"), sqlite.Options{Create: true})
	testkit.Check(t, err)
	t.Cleanup(func() { target.Close() })
	from, to := testkit.Expand(ctx, t, source, target, []string{"v"}, true)
	for _, side := range []*transfer.Side{&from, &to} {
		side.Move.Loose = []dialect.LooseKey{
			{OnDelete: "delete", ForeignKey: schema.ForeignKey{Table: "v", Columns: []string{"user_id"}, Parent: "users", Parents: []string{"id"}}},
			{OnDelete: "nullify", ForeignKey: schema.ForeignKey{Table: "v", Columns: []string{"shop_id"}, Parent: "shops", Parents: []string{"id"}}},
		}
	}
	way, err := transfer.New(ctx, from, to, transfer.Options{})
	testkit.Check(t, err)
	testkit.Check(t, testkit.Finish(ctx, way))
	exchange(t, from, to)

	service := openApp(t, filepath.Join(dir, "target.db"))
	if _, err := service.ExecContext(ctx, `INSERT INTO v VALUES (6, 'new', 2, 1)`); err != nil {
		t.Fatal(err)
	}
	for _, refused := range []string{`DELETE FROM v WHERE id = 1`, `UPDATE v SET shop_id = NULL WHERE id = 1`, `INSERT OR REPLACE INTO v VALUES (1, 'q', 1, 1)`} {
		if err := exec(refused); err == nil || !strings.Contains(err.Error(), `table "v" is owned by kit (split kit, epoch 1)`) {
			t.Errorf("%s: %v", refused, err)
		}
	}
	for _, allowed := range []string{
		`DELETE FROM users WHERE id = 2`,                 // 2 and 6 go; 6 has not come to the source yet
		`DELETE FROM shops WHERE id = 1`,                 // 1 keeps its row
		`INSERT OR REPLACE INTO users VALUES (9, 'c')`,   // displaces 3
		`INSERT OR REPLACE INTO users VALUES (4, 'new')`, // is still there: its rows come back
	} {
		testkit.Check(t, exec(allowed))
	}
	back, err := transfer.New(ctx, to, from, transfer.Options{})
	testkit.Check(t, err)
	for n := 1; n > 0; {
		n, err = back.Loose(ctx)
		testkit.Check(t, err)
		testkit.Check(t, testkit.Finish(ctx, back))
	}
	const want = "1x1,4w42,5u"
	const query = `SELECT group_concat(id || v || coalesce(user_id, '') || coalesce(shop_id, '')) FROM (SELECT * FROM v ORDER BY id)`
	if have := lines(t, service, query); have[0] != want {
		t.Errorf("the target holds %s, not %s", have[0], want)
	}
	if have := lines(t, app, query); have[0] != want {
		t.Errorf("the source holds %s, not %s", have[0], want)
	}
	if left := lines(t, app, `SELECT count(*) FROM _strangler_loose_kit`); left[0] != "0" {
		t.Errorf("%s entries are left", left[0])
	}
	testkit.Check(t, source.Remove(ctx, from.Move, dialect.RemoveOptions{Owner: true}))
	if left := lines(t, app, `SELECT name FROM sqlite_master WHERE name LIKE '%strangler%'`); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// exchange lets the target lead and the source follow.
func exchange(t *testing.T, from, to transfer.Side) {
	t.Helper()
	record := dialect.Record{Owner: dialect.Target, Epoch: 1}
	for _, side := range []transfer.Side{from, to} {
		tx, err := side.Begin(t.Context(), side.Move)
		testkit.Check(t, err)
		if side.Move.Role == dialect.Source {
			err = tx.Follow(t.Context(), record)
		} else {
			err = tx.Lead(t.Context(), record)
		}
		testkit.Check(t, err)
		testkit.Check(t, tx.Commit())
	}
}
