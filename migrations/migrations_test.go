package migrations_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations"
)

func open(t *testing.T) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func schema(t *testing.T, db *sqlite.DB) []string {
	t.Helper()
	var objects []string
	err := db.Select(&objects, `
		SELECT type || ' ' || name || ' ' || coalesce(sql, '')
		FROM sqlite_master
		WHERE tbl_name NOT LIKE 'sqlite_%' AND tbl_name <> 'goose_db_version'
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestUpDownUp(t *testing.T) {
	t.Parallel()
	for _, owner := range []string{"monolith", "recommendations", "catalog", "reviews"} {
		t.Run(owner, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			if err := migrations.Up(t.Context(), db.Writer(), owner); err != nil {
				t.Fatal(err)
			}
			first := schema(t, db)
			if len(first) == 0 {
				t.Fatal("no schema was made")
			}
			if err := migrations.Up(t.Context(), db.Writer(), owner); err != nil {
				t.Fatalf("the second Up: %v", err)
			}
			if err := migrations.DownTo(t.Context(), db.Writer(), owner, 0); err != nil {
				t.Fatal(err)
			}
			if left := schema(t, db); len(left) != 0 {
				t.Fatalf("Down left %q", left)
			}
			if err := migrations.Up(t.Context(), db.Writer(), owner); err != nil {
				t.Fatal(err)
			}
			if again := schema(t, db); !slices.Equal(first, again) {
				t.Fatalf("schema after up, down, up:\n%q\nwant\n%q", again, first)
			}
			steps, err := migrations.Status(t.Context(), db.Writer(), owner)
			if err != nil || len(steps) == 0 || !steps[len(steps)-1].Applied || steps[0].At.IsZero() {
				t.Fatalf("status %+v, %v", steps, err)
			}
		})
	}
}

func TestUpRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := migrations.Up(t.Context(), db.Writer(), "monolith"); err != nil {
		t.Fatal(err)
	}
	err := db.Tx(t.Context(), func(tx *sqlx.Tx) error {
		_, err := tx.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	before := schema(t, db)
	err = migrations.Up(t.Context(), db.Writer(), "monolith")
	if !errors.Is(err, migrations.ErrNewer) || program.Code(err) != program.Usage {
		t.Fatalf("error %v with code %d; want ErrNewer and %d", err, program.Code(err), program.Usage)
	}
	if after := schema(t, db); !slices.Equal(before, after) {
		t.Fatal("the refused Up changed the schema")
	}
}

func TestUpRefusesTheDatabaseOfAnother(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(db *sqlite.DB) error{
		"the recommendations'": func(db *sqlite.DB) error { return migrations.Up(t.Context(), db.Writer(), "recommendations") },
		"a stranger's": func(db *sqlite.DB) error {
			_, err := db.Writer().Exec(`CREATE TABLE bookmarks (url TEXT)`)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			if err := make(db); err != nil {
				t.Fatal(err)
			}
			before := schema(t, db)
			err := migrations.Up(t.Context(), db.Writer(), "monolith")
			if !errors.Is(err, migrations.ErrForeign) || program.Code(err) != program.Usage {
				t.Errorf("error %v with code %d; want ErrForeign and %d", err, program.Code(err), program.Usage)
			}
			if after := schema(t, db); !slices.Equal(before, after) {
				t.Errorf("the refused Up changed the schema to %q", after)
			}
		})
	}
}

// Tools such as the split keep tables of their own, which may be there first; and a
// first migration that was killed before the mark goes on.
func TestUpGoesOn(t *testing.T) {
	t.Parallel()
	db := open(t)
	for _, before := range []string{`CREATE TABLE _strangler_owner (table_name TEXT)`, `PRAGMA application_id = 0`, `SELECT 1`} {
		if _, err := db.Writer().Exec(before); err != nil {
			t.Fatal(err)
		}
		if err := migrations.Up(t.Context(), db.Writer(), "monolith"); err != nil {
			t.Errorf("after %s: %v", before, err)
		}
	}
}

// owners says to whom each table of the shop will belong once it is taken apart.
var owners = map[string][]string{
	"identity":        {"users", "sessions", "addresses", "password_resets"},
	"catalog":         {"categories", "products", "product_images", "product_tags"},
	"inventory":       {"stock_items", "stock_reservations", "stock_movements"},
	"cart":            {"carts", "cart_items"},
	"pricing":         {"coupons", "coupon_redemptions", "tax_rates", "shipping_rates"},
	"orders":          {"orders", "order_lines", "order_events", "shipments"},
	"payments":        {"payments", "payment_attempts", "refunds"},
	"reviews":         {"reviews"},
	"recommendations": {"product_views"},
	"notifications":   {"notifications"},
	"shared":          {"audit_log"},
}

// TestTheShopIsEntangled keeps the monolith as hard to take apart as the tutorial
// says: 28 tables and 18 foreign keys that cross a border.
func TestTheShopIsEntangled(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := migrations.Up(t.Context(), db.Writer(), "monolith"); err != nil {
		t.Fatal(err)
	}
	owner := map[string]string{}
	for domain, tables := range owners {
		for _, table := range tables {
			owner[table] = domain
		}
	}
	var keys []struct {
		Table  string
		Target *string
	}
	err := db.Select(&keys, `
		SELECT m.name AS "table", f."table" AS target
		FROM sqlite_master m
		LEFT JOIN pragma_foreign_key_list(m.name) f
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, crossing := map[string]bool{}, 0
	for _, k := range keys {
		tables[k.Table] = true
		if owner[k.Table] == "" {
			t.Errorf("table %s has no owner", k.Table)
		}
		if k.Target != nil && owner[k.Table] != owner[*k.Target] {
			crossing++
		}
	}
	if len(tables) != 28 || crossing != 18 {
		t.Errorf("%d tables and %d crossing foreign keys, want 28 and 18", len(tables), crossing)
	}
}
