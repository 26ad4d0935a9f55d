package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

func open(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t *testing.T, db *sqlite.DB, query string) error {
	t.Helper()
	return db.Tx(t.Context(), func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(t.Context(), query)
		return err
	})
}

func TestEveryConnectionHasThePragmas(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "odd name ? # %20.db"))
	want := map[string]string{"journal_mode": "wal", "foreign_keys": "1", "synchronous": "2", "busy_timeout": "5000"}
	for range 8 { // held open together, so that each is another connection
		conn, err := db.Connx(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for pragma, value := range want {
			var got string
			if err := conn.GetContext(t.Context(), &got, "PRAGMA "+pragma); err != nil || got != value {
				t.Errorf("PRAGMA %s = %q, %v; want %q", pragma, got, err, value)
			}
		}
		if _, err := conn.ExecContext(t.Context(), `CREATE TABLE stray (id INTEGER)`); err == nil {
			t.Fatal("a reader could write")
		}
	}
}

func TestTxRollsBackOnErrorAndPanic(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "a.db"))
	if err := exec(t, db, `CREATE TABLE t (id INTEGER PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := db.Tx(t.Context(), func(tx *sqlx.Tx) error {
		tx.MustExec(`INSERT INTO t VALUES (1)`)
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("Tx returned %v, want boom", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Tx(t.Context(), func(tx *sqlx.Tx) error {
			tx.MustExec(`INSERT INTO t VALUES (2)`)
			panic("at the disco")
		})
	}()
	var n int
	if err := db.Get(&n, `SELECT count(*) FROM t`); err != nil || n != 0 {
		t.Fatalf("%d rows, %v; want none", n, err)
	}
	if err := exec(t, db, `INSERT INTO t VALUES (3)`); err != nil {
		t.Fatalf("the writer is stuck after a panic: %v", err)
	}
}

func TestWritersQueueInsteadOfFailing(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "a.db"))
	if err := exec(t, db, `CREATE TABLE t (n INTEGER)`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if err := exec(t, db, `INSERT INTO t SELECT count(*) FROM t`); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var distinct int
	if err := db.Get(&distinct, `SELECT count(DISTINCT n) FROM t`); err != nil || distinct != 100 {
		t.Fatalf("%d of 100 writes saw their own state, %v", distinct, err)
	}
}

func TestOpenExplainsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 400)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"a folder", dir, "is a folder"},
		{"no folder", filepath.Join(dir, "nowhere", "a.db"), "create the folder first"},
		{"not a database", garbage, "not a SQLite database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := sqlite.Open(context.Background(), c.path, sqlite.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
				t.Fatalf("error %v; want it to name %s and say %q", err, c.path, c.want)
			}
			if program.Code(err) != program.Usage {
				t.Fatalf("exit code %d, want %d", program.Code(err), program.Usage)
			}
		})
	}
	after, err := os.ReadFile(garbage)
	if err != nil || !strings.HasPrefix(string(after), "not a database") {
		t.Fatalf("the file that is not a database was changed: %v", err)
	}
}

func TestOpenNamesALockedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	first := open(t, path)
	err := first.Tx(t.Context(), func(*sqlx.Tx) error {
		_, err := sqlite.Open(context.Background(), path, sqlite.Options{BusyTimeout: 20 * time.Millisecond})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "another program holds its lock") {
		t.Fatalf("error %v; want the lock named", err)
	}
}

func TestConstraintKinds(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "a.db"))
	for _, q := range []string{
		`CREATE TABLE parent (id INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0), u TEXT UNIQUE)`,
		`CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parent ON DELETE RESTRICT)`,
		`INSERT INTO parent VALUES (1, 1, 'a')`,
		`INSERT INTO child VALUES (1, 1)`,
	} {
		if err := exec(t, db, q); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		query string
		is    func(error) bool
	}{
		{`INSERT INTO parent VALUES (2, 1, 'a')`, sqlite.IsUnique},
		{`INSERT INTO parent VALUES (1, 1, 'b')`, sqlite.IsUnique},
		{`INSERT INTO parent VALUES (2, 0, 'b')`, sqlite.IsCheck},
		{`INSERT INTO child VALUES (2, 7)`, sqlite.IsForeignKey},
		{`DELETE FROM parent`, sqlite.IsForeignKey},
	} {
		if err := exec(t, db, c.query); !c.is(err) {
			t.Errorf("%s: %v is not of the expected kind", c.query, err)
		}
	}
}

func TestExplainAFullDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Writer().Exec(`PRAGMA max_page_count = 1`); err != nil {
		t.Fatal(err)
	}
	_, err = db.Writer().Exec(`CREATE TABLE t (a)`)
	if err == nil {
		t.Fatal("there was room")
	}
	err = sqlite.Explain(path, fmt.Errorf("migrate: %w", err))
	if program.Code(err) != program.Usage || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("exit %d: %v", program.Code(err), err)
	}
}
