package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	driver "github.com/mattn/go-sqlite3"
)

// GuestOptions tune OpenGuest.
type GuestOptions struct {
	Create      bool          // make the file if there is none, in WAL mode
	BusyTimeout time.Duration // 0 means 5 s
	CacheBytes  int           // page cache of the writer; 0 means 4 MiB
}

// A Guest is a database that belongs to another program. Nothing of the file is
// changed by opening it, not even its journal mode, and foreign keys are not enforced
// on its connections: a guest that moves rows must not cause cascades.
type Guest struct {
	Readers *sqlx.DB // query_only; transactions are deferred
	Writer  *sqlx.DB // one connection; transactions are immediate
}

// OpenGuest opens the file at path as a guest.
func OpenGuest(ctx context.Context, path string, o GuestOptions) (*Guest, error) {
	if o.BusyTimeout == 0 {
		o.BusyTimeout = 5 * time.Second
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 4 << 20
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	g := &Guest{}
	var err error
	if g.Writer, err = sqlx.Open("sqlite3", guestDSN(path, o, false)); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	g.Writer.SetMaxOpenConns(1)
	if g.Readers, err = sqlx.Open("sqlite3", guestDSN(path, o, true)); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), g.Writer.Close())
	}
	g.Readers.SetMaxOpenConns(4)
	g.Readers.SetMaxIdleConns(4)
	if err := g.probe(ctx, o.Create); err != nil {
		return nil, errors.Join(Explain(path, err), g.Close())
	}
	return g, nil
}

// probe finds out whether the file is a database, and makes a new one a WAL database.
func (g *Guest) probe(ctx context.Context, create bool) error {
	var pages int64
	if create {
		if err := g.Writer.GetContext(ctx, &pages, `PRAGMA page_count`); err != nil {
			return err
		}
		if pages == 0 {
			if _, err := g.Writer.ExecContext(ctx, `PRAGMA journal_mode = WAL`); err != nil {
				return err
			}
		}
	}
	return g.Readers.GetContext(ctx, &pages, `SELECT count(*) FROM sqlite_master`)
}

func guestDSN(path string, o GuestOptions, queryOnly bool) string {
	q := url.Values{}
	q.Set("mode", "rw")
	if o.Create && !queryOnly {
		q.Set("mode", "rwc")
	}
	q.Set("_foreign_keys", "off")
	q.Set("_busy_timeout", strconv.FormatInt(o.BusyTimeout.Milliseconds(), 10))
	q.Set("_synchronous", "FULL")
	q.Set("_txlock", "immediate")
	if queryOnly {
		q.Set("_query_only", "on")
		q.Set("_txlock", "deferred")
	} else {
		q.Set("_cache_size", strconv.Itoa(-o.CacheBytes/1024))
	}
	return FileURI(path) + "?" + q.Encode()
}

// FileURI is path as SQLite wants it in a URI or in ATTACH.
func FileURI(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// Close closes all connections.
func (g *Guest) Close() error { return errors.Join(g.Readers.Close(), g.Writer.Close()) }

// IsFull reports whether err says that there is no room on the disk.
func IsFull(err error) bool {
	var e driver.Error
	return errors.As(err, &e) && (e.Code == driver.ErrFull || e.Code == driver.ErrIoErr && e.SystemErrno == syscall.ENOSPC)
}

// IsConstraint reports whether err is a violated constraint of any kind.
func IsConstraint(err error) bool {
	var e driver.Error
	return errors.As(err, &e) && e.Code == driver.ErrConstraint
}
