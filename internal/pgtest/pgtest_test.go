package pgtest_test

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/pgtest"
)

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestEachDatabaseIsItsOwn(t *testing.T) {
	t.Parallel()
	one, other := pgtest.Database(t), pgtest.Database(t)
	pgtest.Exec(t, one, `CREATE TABLE t (n int)`, `INSERT INTO t VALUES (1)`)
	var found sql.NullString
	if err := open(t, other).QueryRowContext(t.Context(), `SELECT to_regclass('t')`).Scan(&found); err != nil || found.Valid {
		t.Fatalf("another database has the table: %v, %v", found, err)
	}
}

func TestRestartKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{Fsync: true, Settings: map[string]string{"max_connections": "17"}})
	dsn := s.Database(t)
	db := open(t, dsn)
	if _, err := db.ExecContext(t.Context(), `CREATE TABLE t AS SELECT 41 AS n`); err != nil {
		t.Fatal(err)
	}
	var before, after int
	if err := db.QueryRowContext(t.Context(), `SELECT pg_backend_pid()`).Scan(&before); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	var n int
	var fsync, connections string
	if err := open(t, dsn).QueryRowContext(t.Context(), `
		SELECT n, pg_backend_pid(), current_setting('fsync'), current_setting('max_connections')
		FROM t`).Scan(&n, &after, &fsync, &connections); err != nil {
		t.Fatal(err)
	}
	if n != 41 || after == before || fsync != "on" || connections != "17" {
		t.Errorf("after the restart: n = %d, backend %d then %d, fsync %s, max_connections %s", n, before, after, fsync, connections)
	}
}

// TestServerEndsWithItsProcess kills a test process that launched a server.
func TestServerEndsWithItsProcess(t *testing.T) {
	if os.Getenv("PGTEST_CHILD") != "" {
		fmt.Println("dir=" + pgtest.Shared(t).Dir())
		select {} // until killed
	}
	t.Parallel()
	pgtest.Shared(t) // skips where there is no server
	child := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithItsProcess$", "-test.v")
	child.Env = append(os.Environ(), "PGTEST_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	dir := ""
	buf := make([]byte, 64<<10)
	for n := 0; dir == ""; {
		m, err := out.Read(buf[n:])
		if err != nil {
			t.Fatalf("the child said only: %s", buf[:n])
		}
		n += m
		if _, rest, ok := strings.Cut(string(buf[:n]), "dir="); ok && strings.Contains(rest, "\n") {
			dir, _, _ = strings.Cut(rest, "\n")
		}
	}
	socket := filepath.Join(dir, ".s.PGSQL.5432")
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatalf("the child's server does not listen: %v", err)
	}
	conn.Close()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there after its process was killed", dir)
		}
	}
	if conn, err := net.Dial("unix", socket); err == nil {
		conn.Close()
		t.Error("the server outlived its process")
	}
}

func TestWrongFolderIsNamed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PGTEST_BIN", dir)
	_, err := pgtest.Launch(pgtest.Options{})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "PGTEST_BIN") {
		t.Errorf("Launch with an empty PGTEST_BIN: %v", err)
	}
}

func TestBadSettingShowsTheLog(t *testing.T) {
	t.Parallel()
	pgtest.Shared(t) // skips where there is no server
	_, err := pgtest.Launch(pgtest.Options{Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("Launch with an unknown setting: %v", err)
	}
}
