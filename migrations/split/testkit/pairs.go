package testkit

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	_ "github.com/stranglerfig/toolkit/internal/sqlite" // the driver
)

// A Place is an empty database as an application sees it.
type Place struct {
	t      testing.TB
	Driver string // as in a plan
	DSN    string
	db     *sql.DB
}

// EachPair runs a test with every pair of databases that a split may have.
func EachPair(t *testing.T, test func(t *testing.T, source, target *Place)) {
	t.Helper()
	makers := []struct {
		name string
		make func(t testing.TB, name string) *Place
	}{{"SQLite", sqlitePlace}, {"PostgreSQL", postgresPlace}}
	for _, source := range makers {
		for _, target := range makers {
			if source.name == "PostgreSQL" && target.name == "SQLite" {
				continue // a plan refuses that
			}
			t.Run(source.name+" to "+target.name, func(t *testing.T) {
				t.Parallel()
				test(t, source.make(t, "source"), target.make(t, "target"))
			})
		}
	}
}

func sqlitePlace(t testing.TB, name string) *Place {
	t.Helper()
	path := "file:" + filepath.Join(t.TempDir(), name+".db")
	p := &Place{t: t, Driver: "sqlite3", DSN: path}
	p.open(path + "?_journal_mode=WAL&_foreign_keys=on&_synchronous=off&_busy_timeout=20000&_txlock=immediate")
	return p
}

// PostgreSQL returns an empty database of a server that the tests share.
func PostgreSQL(t testing.TB) *Place {
	t.Helper()
	return postgresPlace(t, "")
}

func postgresPlace(t testing.TB, _ string) *Place {
	t.Helper()
	return PostgreSQLAt(t, pgtest.Database(t))
}

// PostgreSQLAt is the database of dsn.
func PostgreSQLAt(t testing.TB, dsn string) *Place {
	t.Helper()
	p := &Place{t: t, Driver: "pgx", DSN: dsn}
	p.open(dsn)
	return p
}

func (p *Place) open(dsn string) {
	db, err := sql.Open(p.Driver, dsn)
	Check(p.t, err)
	db.SetMaxOpenConns(1)
	p.t.Cleanup(func() { db.Close() })
	p.db = db
	Check(p.t, db.PingContext(context.Background())) // a file is made
}

// Try runs a statement as an application does.
func (p *Place) Try(statement string) error {
	_, err := p.db.ExecContext(p.t.Context(), statement)
	return err
}

// Exec is Try for statements that must succeed.
func (p *Place) Exec(statements ...string) {
	p.t.Helper()
	for _, s := range statements {
		if err := p.Try(s); err != nil {
			p.t.Fatalf("%s: %s: %v", p.Driver, s, err)
		}
	}
}

// Ask returns the one text that a query finds.
func (p *Place) Ask(query string) (text string) {
	p.t.Helper()
	if err := p.db.QueryRowContext(p.t.Context(), query).Scan(&text); err != nil {
		p.t.Fatalf("%s: %s: %v", p.Driver, query, err)
	}
	return text
}

// Fresh is an empty database of a driver.
func Fresh(t testing.TB, driver string) *Place {
	t.Helper()
	if driver == "pgx" {
		return postgresPlace(t, "")
	}
	return sqlitePlace(t, "fresh")
}
