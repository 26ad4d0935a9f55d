// Package sqlite opens SQLite files the one way every program here does: WAL,
// foreign keys on, pragmas in the DSN (they hold per connection), one writer and
// several readers.
//
// A single writing connection makes writers queue in Go, in order, where SQLite
// would make them poll. Readers cannot write: a stray write through the reading
// pool fails instead of racing the writer. Other processes may use the same file;
// they are waited for up to BusyTimeout. It is the only package that imports the
// driver.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	driver "github.com/mattn/go-sqlite3"

	"github.com/stranglerfig/toolkit/internal/program"
)

// Options tune Open. The zero value is fit for production.
type Options struct {
	Readers     int           // reading connections; 0 means 8
	BusyTimeout time.Duration // wait for a lock that another process holds; 0 means 5 s
	CacheBytes  int           // page cache of one connection; 0 means 4 MiB
}

// DB is one SQLite file: a pool of readers, embedded, and one writer. It is safe
// for concurrent use; who opens it closes it.
type DB struct {
	*sqlx.DB // readers: query_only
	writer   *sqlx.DB
}

// Open opens or creates the file at path and checks that it is a database that
// can be read. The error names the file and the remedy.
func Open(ctx context.Context, path string, opts Options) (*DB, error) {
	if opts.Readers == 0 {
		opts.Readers = 8
	}
	if opts.BusyTimeout == 0 {
		opts.BusyTimeout = 5 * time.Second
	}
	if opts.CacheBytes == 0 {
		opts.CacheBytes = 4 << 20
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	writer, err := pool(path, opts, false)
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	if err := probe(ctx, writer); err != nil {
		writer.Close()
		return nil, Explain(path, err)
	}
	readers, err := pool(path, opts, true)
	if err != nil {
		writer.Close()
		return nil, err
	}
	readers.SetMaxOpenConns(opts.Readers)
	readers.SetMaxIdleConns(opts.Readers)
	if err := readers.PingContext(ctx); err != nil {
		writer.Close()
		readers.Close()
		return nil, Explain(path, err)
	}
	return &DB{DB: readers, writer: writer}, nil
}

func pool(path string, opts Options, queryOnly bool) (*sqlx.DB, error) {
	q := url.Values{}
	q.Set("_journal_mode", "WAL")
	q.Set("_foreign_keys", "on")
	q.Set("_busy_timeout", strconv.FormatInt(opts.BusyTimeout.Milliseconds(), 10))
	q.Set("_synchronous", "FULL") // an acknowledged write survives a power cut
	q.Set("_cache_size", strconv.Itoa(-opts.CacheBytes/1024))
	q.Set("_txlock", "immediate")
	if queryOnly {
		q.Set("_query_only", "on")
		q.Set("_txlock", "deferred")
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
	db, err := sqlx.Open("sqlite3", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// probe touches the header and takes the write lock once, so that a file that is
// not a database, not writable or locked is found now and not at the first sale.
func probe(ctx context.Context, db *sqlx.DB) error {
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	var tables int
	return tx.GetContext(ctx, &tables, `SELECT count(*) FROM sqlite_master`)
}

func checkPath(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return program.Fail(program.Usage, "give the path of a file", "database %s is a folder", path)
	case errors.Is(err, os.ErrNotExist):
		dir := filepath.Dir(path)
		if _, err := os.Stat(dir); err != nil {
			return program.Fail(program.Usage, "create the folder first", "folder %s of database %s: %w", dir, path, err)
		}
	case err != nil:
		return program.Fail(program.Usage, "check the path and its permissions", "database %s: %w", path, err)
	}
	return nil
}

// Explain names the file and the remedy for an error of preparing a database for use:
// opening it, or bringing it to the newest schema. An error that has a remedy keeps
// it.
func Explain(path string, err error) error {
	var known *program.Error
	if errors.As(err, &known) {
		return fmt.Errorf("database %s: %w", path, err)
	}
	var e driver.Error
	remedy := "check that the file is a SQLite database and that this user may write it"
	if errors.As(err, &e) {
		switch e.Code {
		case driver.ErrFull:
			remedy = "make room on the disk"
		case driver.ErrIoErr:
			if e.SystemErrno == syscall.ENOSPC {
				remedy = "make room on the disk"
			}
		case driver.ErrCorrupt:
			remedy = "the file is damaged: restore a copy of it, or give another path"
		case driver.ErrBusy, driver.ErrLocked:
			remedy = "another program holds its lock: end that program or wait, then try again"
		case driver.ErrNotADB:
			remedy = "the file is not a SQLite database: give another path"
		case driver.ErrReadonly, driver.ErrPerm, driver.ErrCantOpen, driver.ErrAuth:
			remedy = "give this user the right to read and write the file and its folder"
		}
	}
	return program.Fail(program.Usage, remedy, "open database %s: %w", path, err)
}

// Writer returns the pool of the single writing connection, for tools that need a
// *sql.DB of their own, such as migrations.
func (db *DB) Writer() *sql.DB { return db.writer.DB }

// Tx runs fn in a write transaction (BEGIN IMMEDIATE). It commits when fn returns
// nil and rolls back otherwise; the error of fn comes back unchanged.
func (db *DB) Tx(ctx context.Context, fn func(tx *sqlx.Tx) error) error {
	tx, err := db.writer.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Close closes both pools.
func (db *DB) Close() error {
	return errors.Join(db.DB.Close(), db.writer.Close())
}

// IsUnique reports whether err is a violated UNIQUE or PRIMARY KEY constraint.
func IsUnique(err error) bool {
	var e driver.Error
	return errors.As(err, &e) && (e.ExtendedCode == driver.ErrConstraintUnique || e.ExtendedCode == driver.ErrConstraintPrimaryKey)
}

// IsForeignKey reports whether err is a violated foreign key.
func IsForeignKey(err error) bool {
	var e driver.Error
	return errors.As(err, &e) && (e.ExtendedCode == driver.ErrConstraintForeignKey || e.ExtendedCode == driver.ErrConstraintTrigger)
}

// IsCheck reports whether err is a violated CHECK constraint.
func IsCheck(err error) bool {
	var e driver.Error
	return errors.As(err, &e) && e.ExtendedCode == driver.ErrConstraintCheck
}

// IsBusy reports whether err says that another process holds the lock.
func IsBusy(err error) bool {
	var e driver.Error
	return errors.As(err, &e) && (e.Code == driver.ErrBusy || e.Code == driver.ErrLocked)
}
