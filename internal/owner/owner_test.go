package owner_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/owner"
	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

type reader func(context.Context, owner.Queryer, string) (owner.Owner, error)

func TestSQLite(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	testOwner(t, db.Writer(), owner.SQLite, `decided_at TEXT`)
	if err := db.Tx(t.Context(), func(tx *sqlx.Tx) error { // what a shop passes
		_, err := owner.SQLite(t.Context(), tx, "reviews")
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("pgx", pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	testOwner(t, db, owner.Postgres, `decided_at TIMESTAMPTZ`)
}

// testOwner asks at each point of the life of a split, in one transaction that goes on
// to write: asking must leave it whole.
func testOwner(t *testing.T, db *sql.DB, read reader, column string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE journal (line TEXT)`); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, change string
		want         owner.Owner
		target       bool
	}{
		{"no table of owners", `SELECT 1`, owner.Owner{Side: owner.Source}, false},
		{"no row", `CREATE TABLE _strangler_owner (table_name TEXT PRIMARY KEY, owner TEXT, epoch BIGINT, ` + column + `)`, owner.Owner{Side: owner.Source}, false},
		{"another table's row", `INSERT INTO _strangler_owner VALUES ('orders', 'target', 9, '2026-03-01T12:00:00Z')`, owner.Owner{Side: owner.Source}, false},
		{"cut over", `INSERT INTO _strangler_owner VALUES ('reviews', 'target', 3, '2026-03-01T12:00:00Z')`, owner.Owner{Side: owner.Target, Epoch: 3}, true},
		{"rolled back", `UPDATE _strangler_owner SET owner = 'source', epoch = 4 WHERE table_name = 'reviews'`, owner.Owner{Side: owner.Source, Epoch: 4}, false},
	} {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), step.change); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got, err := read(t.Context(), tx, "reviews")
		if err != nil || got != step.want || got.Target() != step.target {
			t.Errorf("%s: %+v, %v; want %+v", step.name, got, err, step.want)
		}
		if _, err := tx.ExecContext(t.Context(), `INSERT INTO journal VALUES ('written')`); err != nil {
			t.Errorf("%s: the write after the question: %v", step.name, err)
		}
		if err := tx.Commit(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
}

func TestTheErrorNamesTheTable(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := owner.SQLite(t.Context(), db, "reviews"); err == nil || err.Error() != "read who owns table reviews: sql: database is closed" {
		t.Errorf("%v", err)
	}
}
