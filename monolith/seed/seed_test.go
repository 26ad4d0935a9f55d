package seed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/admin"
	"github.com/stranglerfig/toolkit/monolith/seed"
)

func open(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "shop.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := migrations.Up(t.Context(), db.Writer(), "monolith"); err != nil {
		t.Fatal(err)
	}
	return db
}

func noon() time.Time { return time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC) }

func seeded(t testing.TB, opts seed.Options) *sqlite.DB {
	t.Helper()
	db := open(t)
	if err := seed.Run(t.Context(), db, opts); err != nil {
		t.Fatal(err)
	}
	return db
}

func count(t testing.TB, db *sqlite.DB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := db.GetContext(t.Context(), &n, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestSeedIsWhole(t *testing.T) {
	t.Parallel()
	db := seeded(t, seed.Options{Now: noon})
	for _, broken := range monolith.CheckInvariants(t.Context(), db) {
		t.Error(broken)
	}
	if n := count(t, db, `SELECT count(*) FROM products`); n != 200 {
		t.Errorf("%d products, want 200", n)
	}
	for _, status := range admin.Statuses() {
		if n := count(t, db, `SELECT count(*) FROM orders WHERE status = ?`, status); n < 3 {
			t.Errorf("%d orders are %s, want some", n, status)
		}
	}
	for what, query := range map[string]string{
		"products of one name":           `SELECT count(*) FROM (SELECT name FROM products GROUP BY name HAVING count(*) > 1)`,
		"movements below nothing":        `SELECT count(*) FROM (SELECT sum(delta) OVER (PARTITION BY product_id ORDER BY id) AS running FROM stock_movements) WHERE running < 0`,
		"notifications still to be sent": `SELECT count(*) FROM notifications WHERE sent_at IS NULL`,
		"rows from the future":           fmt.Sprintf(`SELECT count(*) FROM audit_log WHERE created_at > %d`, noon().UnixMilli()),
		"log entries out of order":       `SELECT count(*) FROM audit_log a JOIN audit_log b ON b.id = a.id + 1 WHERE b.created_at < a.created_at`,
	} {
		if n := count(t, db, query); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	for what, query := range map[string]string{
		"reviews":                `SELECT count(*) FROM reviews`,
		"categories on sale":     `SELECT count(DISTINCT category_id) FROM products WHERE active = 1`,
		"orders of ada's":        `SELECT count(*) FROM orders WHERE user_id = (SELECT id FROM users WHERE email = 'ada@shop.example')`,
		"redeemed coupons":       `SELECT count(*) FROM coupon_redemptions`,
		"products out of stock":  `SELECT count(*) FROM products WHERE stock_qty = 0`,
		"products bought in two": `SELECT count(*) FROM (SELECT 1 FROM order_lines a JOIN order_lines b ON a.order_id = b.order_id AND a.product_id < b.product_id GROUP BY a.product_id, b.product_id HAVING count(*) > 1)`,
		"views":                  `SELECT count(*) FROM product_views`,
	} {
		if n := count(t, db, query); n < 5 {
			t.Errorf("%d %s, want some", n, what)
		}
	}
}

func TestSeedIsDeterministic(t *testing.T) {
	t.Parallel()
	later := func() time.Time { return noon().Add(5 * time.Hour) } // the same day
	one := dump(t, seeded(t, seed.Options{Scale: 2, Now: noon}))
	two := dump(t, seeded(t, seed.Options{Scale: 2, Now: later}))
	if !bytes.Equal(one, two) {
		t.Error("two seeded shops differ")
	}
	if other := dump(t, seeded(t, seed.Options{Scale: 1, Now: noon})); bytes.Equal(one, other) {
		t.Error("shops of different scales are equal: the dump is blind")
	}
}

// dump writes down every row of every table.
func dump(t *testing.T, db *sqlite.DB) []byte {
	t.Helper()
	var tables []string
	if err := db.SelectContext(t.Context(), &tables, `
		SELECT name
		FROM sqlite_master
		WHERE type = 'table' AND name NOT LIKE 'goose%'
		ORDER BY name`); err != nil {
		t.Fatal(err)
	}
	if len(tables) < 25 {
		t.Fatalf("%d tables", len(tables))
	}
	var out bytes.Buffer
	for _, table := range tables {
		rows, err := db.QueryxContext(t.Context(), `SELECT * FROM `+table+` ORDER BY 1, 2`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, err := rows.SliceScan()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&out, table, values)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestSeedRefusesAShopThatIsNotEmpty(t *testing.T) {
	t.Parallel()
	db := seeded(t, seed.Options{Now: noon})
	before := dump(t, db)
	if err := seed.Run(t.Context(), db, seed.Options{Now: noon}); !errors.Is(err, seed.ErrNotEmpty) {
		t.Errorf("seeding twice: %v", err)
	}
	if !bytes.Equal(before, dump(t, db)) {
		t.Error("the refused seed changed something")
	}
	for _, scale := range []int{-1, 201} {
		if err := seed.Run(t.Context(), open(t), seed.Options{Scale: scale}); err == nil {
			t.Errorf("scale %d was accepted", scale)
		}
	}
}

func TestSeedLeavesNothingWhenStopped(t *testing.T) {
	t.Parallel()
	db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := seed.Run(ctx, db, seed.Options{Now: noon}); !errors.Is(err, context.Canceled) {
		t.Errorf("a stopped seed: %v", err)
	}
	if n := count(t, db, `SELECT count(*) FROM users`); n != 0 {
		t.Errorf("%d users are left", n)
	}
}

func TestSeededPasswords(t *testing.T) {
	t.Parallel()
	db := seeded(t, seed.Options{Now: noon})
	for email, password := range map[string]string{
		"ada@shop.example":   "ada-password",
		"admin@shop.example": "admin-password",
	} {
		var hash string
		if err := db.GetContext(t.Context(), &hash, `SELECT password_hash FROM users WHERE email = ?`, email); err != nil {
			t.Fatal(err)
		}
		if ok, err := argon2id.ComparePasswordAndHash(password, hash); err != nil || !ok {
			t.Errorf("%s: the password does not fit: %v", email, err)
		}
	}
	var roles []string
	if err := db.SelectContext(t.Context(), &roles, `SELECT email FROM users WHERE role = 'admin'`); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(roles, []string{"admin@shop.example"}) {
		t.Errorf("administrators: %v", roles)
	}
}

// TestNoNameTwice looks at a larger scale, where the words have to last longer.
func TestNoNameTwice(t *testing.T) {
	t.Parallel()
	for _, c := range seed.Categories {
		for _, n := range c.Nouns {
			if len(n.Materials) != 7 || n.Cents < 500 || n.About == "" || n.Tags == "" {
				t.Errorf("%s: %+v", n.Name, n)
			}
		}
	}
	db := seeded(t, seed.Options{Scale: 12, Now: noon})
	if n := count(t, db, `SELECT count(*) FROM (SELECT 1 FROM products GROUP BY name HAVING count(*) > 1)`); n != 0 {
		t.Errorf("%d names occur twice", n)
	}
}

func BenchmarkSeedScale100(b *testing.B) {
	for b.Loop() {
		seeded(b, seed.Options{Scale: 100, Now: noon})
	}
}
