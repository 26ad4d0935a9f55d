package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/stranglerfig/toolkit/internal/sqlite" // the driver
)

// An effort is what a command took.
type effort struct {
	took   time.Duration
	memory int64 // the most it held; 0 where the system does not tell
	wal    int64 // the most bytes in the source's write-ahead log
}

// split runs a command of the engine to its end, in the folder of its plan.
func (r *splitRun) split(ctx context.Context, dir string, args ...string) (effort, []byte, error) {
	args = append([]string{"split", args[0], "plan.yaml"}, args[1:]...)
	var out bytes.Buffer
	p := &process{cmd: exec.CommandContext(ctx, r.strangler, args...), done: make(chan struct{}), log: &bytes.Buffer{}}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, &out, p.log
	var e effort
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return e, nil, fmt.Errorf("start strangler: %w", err)
	}
	var err error
	go func() {
		err = p.cmd.Wait()
		e.took = time.Since(began)
		close(p.done)
	}()
	var memory, wal int64
	for ended := false; !ended; {
		memory = max(memory, p.peakMemory())
		if info, err := os.Stat(filepath.Join(dir, "source.db-wal")); err == nil {
			wal = max(wal, info.Size())
		}
		select {
		case <-p.done:
			ended = true
		case <-time.After(5 * time.Millisecond):
		}
	}
	e.memory, e.wal = memory, wal
	if err != nil {
		return e, nil, fmt.Errorf("strangler %s: %w: %s", strings.Join(args, " "), err, p.log)
	}
	return e, out.Bytes(), nil
}

// shell times a line of the shell, as a person would move the table without an engine.
func (r *splitRun) shell(ctx context.Context, dir, line string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "bash", "-o", "pipefail", "-c", line)
	cmd.Dir = dir
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", line, err, out)
	}
	return time.Since(began), nil
}

// thingsTable is a row of about 120 bytes with an index on scattered values, the bad
// case. SQLite and PostgreSQL understand it alike.
const thingsTable = `CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, body TEXT NOT NULL, code BIGINT NOT NULL, made BIGINT NOT NULL);`

const (
	thingsIndex = `CREATE INDEX things_code ON things (code);`
	codeOf      = `(%s * 7919) %% 1000003`
)

// openSQLite opens a file as an application does.
func openSQLite(path, synchronous string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate&_synchronous="+synchronous)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// fillSQLite makes a file with one table of n rows.
func fillSQLite(ctx context.Context, path string, n int) error {
	table := strings.Replace(thingsTable, "BIGINT NOT NULL PRIMARY KEY", "INTEGER NOT NULL PRIMARY KEY", 1)
	return execAll(ctx, file(path), table, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO things SELECT i, hex(randomblob(45)), %s, 1700000000 + i FROM n`, n, fmt.Sprintf(codeOf, "i")), thingsIndex)
}

// fillPostgres makes a database with the same table.
func fillPostgres(ctx context.Context, db database, n int) error {
	return execAll(ctx, db, thingsTable, fmt.Sprintf(`INSERT INTO things
		SELECT i, upper(md5(i::text) || md5((-i)::text) || left(md5((i * 3)::text), 26)), %s, 1700000000 + i FROM generate_series(1::bigint, %d) AS n(i)`,
		fmt.Sprintf(codeOf, "i"), n), thingsIndex, "VACUUM ANALYZE things", "CHECKPOINT")
}

func execAll(ctx context.Context, at database, statements ...string) error {
	dsn := at.dsn
	if at.driver == "sqlite3" {
		dsn += "?_journal_mode=WAL&_synchronous=normal"
	}
	db, err := sql.Open(at.driver, dsn)
	if err != nil {
		return fmt.Errorf("open %s: %w", at.dsn, err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// fresh makes an empty database on the server, in place of the one before.
func (r *splitRun) fresh(ctx context.Context, name string) (database, error) {
	all := database{"pgx", r.server.DSN("postgres")}
	err := execAll(ctx, all, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)", "CREATE DATABASE "+name)
	return database{"pgx", r.server.DSN(name)}, err
}
