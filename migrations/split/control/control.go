// Package control is the memory of the split commands on one machine: who works on a
// split at the moment, what was asked of it, and what happened when. It is one SQLite
// file beside the plan.
//
// It is a cache. What has to be right after a crash stands in the two databases of the
// split, and their claim keeps a second coordinator from writing, whatever this file
// says. Whoever deletes it loses the history, and nothing else.
package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

// File is where the commands keep it, beside the plan.
const File = ".strangler/split.db"

// A Store is an open control file. It is safe for concurrent use, also by several
// processes. Who opens it closes it.
type Store struct {
	db   *sqlite.DB
	path string
	opts Options
}

// Options tune a Store. The zero value is fit for production.
type Options struct {
	// Silence is after how long a holder that gives no sign of life may be replaced,
	// though its process exists: it may be stopped, or hang. If it wakes up, the claim
	// in the databases keeps it from writing. 0 means 10 s.
	Silence time.Duration
}

// Open opens or creates the file at path, and the folder that it is in.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	opts.Silence = cmp.Or(opts.Silence, 10*time.Second)
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, program.Fail(program.Usage, "give this user the right to write there, or put the plan into another folder", "make the folder of the control file: %w", err)
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{Readers: 2, BusyTimeout: 2 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("control file: %w", err)
	}
	s := &Store{db: db, path: path, opts: opts}
	if err := s.prepare(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("control file: %w", sqlite.Explain(path, err))
	}
	return s, nil
}

// Look opens the file at path for a command that changes nothing: where there is none it
// makes none, and returns nil without an error.
func Look(ctx context.Context, path string, opts Options) (*Store, error) {
	switch _, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, program.Fail(program.Usage, "give this user the right to read there", "look for the control file: %w", err)
	}
	return Open(ctx, path, opts)
}

// fail adds to an error of the file what to do about it. It is a cache, so the remedy for
// one that somebody has changed is to do without it.
func (s *Store) fail(err error, doing, split string) error {
	var known *program.Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s of split %s: %w", doing, split, err)
	}
	if sqlite.IsBusy(err) {
		return program.Fail(program.Unreachable, "another program holds its lock: end that program or wait, then try again", "%s of split %s: control file %s: %w", doing, split, s.path, err)
	}
	if sqlite.IsFull(err) {
		return program.Fail(program.Unreachable, "make room on the disk", "%s of split %s: control file %s: %w", doing, split, s.path, err)
	}
	return program.Fail(program.Usage, "stop what runs for it, and move the file away: it holds only the history of splits, and a new one is made",
		"%s of split %s: control file %s: %w", doing, split, s.path, err)
}

// version is that of the schema; it counts up with every change of it.
const version = 1

// prepare makes the tables. The schema needs no migrations: whoever meets another
// version sets the file aside, for it is a cache.
func (s *Store) prepare(ctx context.Context) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		var have int
		if err := tx.GetContext(ctx, &have, `PRAGMA user_version`); err != nil {
			return fmt.Errorf("read the version of the control file: %w", err)
		}
		switch {
		case have == version:
			return nil
		case have != 0:
			return program.Fail(program.Usage, "move it away: it holds only the history of splits, and a new one is made",
				"control file %s has version %d, this program reads %d", s.path, have, version)
		}
		if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf(`PRAGMA user_version = %d`, version)); err != nil {
			return fmt.Errorf("make the tables of the control file %s: %w", s.path, err)
		}
		return nil
	})
}

// Times are milliseconds since 1970, so that they compare as numbers.
const schema = `
CREATE TABLE lease (
  split TEXT PRIMARY KEY,
  generation INTEGER NOT NULL,
  holder TEXT NOT NULL,     -- JSON; empty: free
  beat INTEGER NOT NULL
);
CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  split TEXT NOT NULL,
  move TEXT NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  data TEXT NOT NULL        -- JSON
);
CREATE INDEX event_split ON event (split, id);
CREATE TABLE request (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  split TEXT NOT NULL,
  at INTEGER NOT NULL,      -- when the asker was last known to wait
  kind TEXT NOT NULL,
  data TEXT NOT NULL,
  generation INTEGER NOT NULL, -- of the lease that took it; 0: nobody yet
  done INTEGER NOT NULL,
  reply TEXT NOT NULL
);
CREATE INDEX request_open ON request (split, id) WHERE done = 0;
`

// Path is where the file is.
func (s *Store) Path() string { return s.path }

// Close closes the file. Leases that are held stay until they are released, or their
// process ends.
func (s *Store) Close() error { return s.db.Close() }
