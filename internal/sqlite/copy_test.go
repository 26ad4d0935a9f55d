package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/sqlite"
)

// names returns what stands in the table t of a database that is open.
func names(t *testing.T, db *sqlite.DB) string {
	t.Helper()
	var list []string
	if err := db.SelectContext(t.Context(), &list, `SELECT name FROM t ORDER BY name`); err != nil {
		t.Fatal(err)
	}
	return strings.Join(list, " ")
}

// TestCopyUnderOpenFiles copies out of a database whose rows are still in its write-ahead log, and
// back into it while a program has it open, reads it and goes on writing.
func TestCopyUnderOpenFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, seed := filepath.Join(dir, "shop ?.db"), filepath.Join(dir, "seed.db")
	db := open(t, path)
	for _, q := range []string{`CREATE TABLE t (name TEXT)`, `INSERT INTO t VALUES ('one')`} {
		if err := exec(t, db, q); err != nil {
			t.Fatal(err)
		}
	}
	inode, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Copy(t.Context(), path, seed); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		reader, err := db.BeginTxx(t.Context(), nil) // holds what it saw before
		if err != nil {
			t.Fatal(err)
		}
		var count int
		if err := reader.GetContext(t.Context(), &count, `SELECT count(*) FROM t`); err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{`INSERT INTO t VALUES ('two')`, `CREATE TABLE more (id INTEGER)`} {
			if err := exec(t, db, q); err != nil {
				t.Fatal(err)
			}
		}
		if err := sqlite.Copy(t.Context(), seed, path); err != nil {
			t.Fatal(err)
		}
		var again int
		if err := reader.GetContext(t.Context(), &again, `SELECT count(*) FROM t`); err != nil || again != count {
			t.Errorf("a reader saw %d rows and then %d: %v", count, again, err)
		}
		_ = reader.Rollback()
		if got := names(t, db); got != "one" {
			t.Errorf("after the copy: %q", got)
		}
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(inode, now) {
		t.Errorf("the file is another one: %v", err)
	}
}

func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, text := filepath.Join(dir, "a.db"), filepath.Join(dir, "text.db")
	db := open(t, path)
	if err := exec(t, db, `CREATE TABLE t (name TEXT); INSERT INTO t VALUES ('kept')`); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"not there":   {filepath.Join(dir, "none.db"), path, "none.db"},
		"itself":      {path, path, "are the same file"},
		"no database": {text, path, "is not a SQLite database"},
		"over a text": {path, text, "text.db"},
	} {
		if err := sqlite.Copy(t.Context(), c.from, c.to); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	lock, err := db.Writer().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := lock.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	seed := filepath.Join(dir, "seed.db")
	if err := sqlite.Copy(t.Context(), path, seed); err != nil {
		t.Errorf("a writer keeps a reader out: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := sqlite.Copy(ctx, seed, path); err == nil {
		t.Error("a database that somebody writes was overwritten")
	}
	if got := names(t, db); got != "kept" {
		t.Errorf("what was refused changed the data: %q", got)
	}
}
