// Package sqlite is the split engine's dialect of SQLite: a file that other programs
// write while its tables move.
//
// It never changes how the file works for them (journal mode, application pragmas), and
// everything it makes in it can be removed again. What SQLite does that matters here:
// REPLACE deletes rows without firing delete triggers, so every row that a write could
// displace is logged before it; dropping a table drops its triggers silently, so they
// are looked for in every snapshot; there is one writer for the whole file, so a fence
// is a write transaction.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/fuse"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// Options tune Open. The zero value is fit for a source.
type Options struct {
	Create      bool // make the file if there is none
	Absent      bool // if there is no file, look at an empty one elsewhere instead, and make none
	BusyTimeout time.Duration
	CacheBytes  int // of the writer
}

// A Database is a SQLite file as one side of a split.
type Database struct {
	path    string
	guest   *sqlite.Guest
	version string
	standIn string // the folder of an empty database that stands in for one that is not there

	mu      sync.Mutex
	fuse    fuse.Fuse        // while applications may have to wait for this process
	checked map[string]int64 // schema_version at which a split's capture was found whole
}

var _ dialect.Database = (*Database)(nil)

// Open opens the file that dsn names: a path, or file: and a path.
func Open(ctx context.Context, dsn string, o Options) (*Database, error) {
	path, err := pathOf(dsn)
	if err != nil {
		return nil, err
	}
	d := &Database{path: path, checked: map[string]int64{}}
	file, err := d.file(o)
	if err != nil {
		return nil, err
	}
	guest, err := sqlite.OpenGuest(ctx, file, sqlite.GuestOptions{Create: o.Create || d.standIn != "", BusyTimeout: o.BusyTimeout, CacheBytes: o.CacheBytes})
	if err != nil {
		return nil, err
	}
	d.guest = guest
	var encoding string
	err = errors.Join(guest.Readers.GetContext(ctx, &d.version, `SELECT sqlite_version()`), guest.Readers.GetContext(ctx, &encoding, `PRAGMA encoding`))
	if err == nil && encoding != "UTF-8" {
		err = program.Fail(program.Refused, "dump it and load it into a new file", "database %s stores texts as %s; only UTF-8 is supported", path, encoding)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// file is what is opened: the file itself, or an empty one that stands in for it.
func (d *Database) file(o Options) (string, error) {
	switch _, err := os.Stat(d.path); {
	case o.Create || !errors.Is(err, os.ErrNotExist):
		return d.path, nil
	case !o.Absent:
		return "", program.Fail(program.Usage, "check the path", "there is no database %s", d.path)
	}
	if _, err := os.Stat(filepath.Dir(d.path)); err != nil {
		return d.path, nil // opening it says what is wrong
	}
	folder, err := os.MkdirTemp("", "strangler-split-")
	if err != nil {
		return "", fmt.Errorf("stand in for %s: %w", d.path, err)
	}
	d.standIn = folder
	return filepath.Join(folder, "empty.db"), nil
}

func pathOf(dsn string) (string, error) {
	rest, isURI := strings.CutPrefix(dsn, "file:")
	path, query, _ := strings.Cut(rest, "?")
	if isURI {
		unescaped, err := url.PathUnescape(path)
		if err != nil {
			return "", program.Fail(program.Usage, "write file: and the path", "dsn %q: %w", dsn, err)
		}
		path = unescaped
		if strings.HasPrefix(path, "//") {
			path = "/" + strings.TrimLeft(path, "/")
		}
	} else {
		path, query = dsn, ""
	}
	if query != "" {
		return "", program.Fail(program.Usage, "leave out what stands behind the ?", "dsn %q: the engine sets its own pragmas", dsn)
	}
	if path == "" || path == ":memory:" {
		return "", program.Fail(program.Usage, "write file: and the path", "dsn %q names no file", dsn)
	}
	return path, nil
}

// Path is the file.
func (d *Database) Path() string { return d.path }

// Info says which file this is.
func (d *Database) Info() dialect.Info {
	return dialect.Info{Driver: "sqlite3", Name: d.path, Version: "SQLite " + d.version}
}

// Close closes all connections.
func (d *Database) Close() error {
	err := d.guest.Close()
	d.fuse.Close()
	if d.standIn != "" {
		err = errors.Join(err, os.RemoveAll(d.standIn))
	}
	return err
}

// Usage tells the sizes of the file and its log, and the free room of the disk.
func (d *Database) Usage(context.Context) (dialect.Usage, error) {
	u := dialect.Usage{Free: -1}
	if info, err := os.Stat(d.path); err == nil {
		u.Bytes = info.Size()
	}
	if info, err := os.Stat(d.path + "-wal"); err == nil {
		u.Log = info.Size()
	}
	file := d.path
	if behind, err := filepath.EvalSymlinks(file); err == nil {
		file = behind // which may be on another disk
	}
	if free, err := freeBytes(filepath.Dir(file)); err == nil {
		u.Free = free
	}
	return u, nil
}

// explain makes of an error of SQLite one that the engine can tell apart.
func (d *Database) explain(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case sqlite.IsBusy(err):
		return fmt.Errorf("%s in %s: %w (%w)", what, d.path, dialect.ErrBusy, err)
	case sqlite.IsFull(err):
		return fmt.Errorf("%s in %s: %w (%w)", what, d.path, dialect.ErrFull, err)
	}
	return fmt.Errorf("%s in %s: %w", what, d.path, err)
}

// queryer is a connection or a transaction.
type queryer interface {
	sqlx.QueryerContext
	GetContext(ctx context.Context, dest any, query string, args ...any) error
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
}

// exists reports whether a table of the engine is there.
func exists(ctx context.Context, q queryer, table string) (bool, error) {
	var n int
	err := q.GetContext(ctx, &n, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?`, table)
	return n > 0, err
}

// isNone reports whether a row was looked for and is not there.
func isNone(err error) bool { return errors.Is(err, sql.ErrNoRows) }
