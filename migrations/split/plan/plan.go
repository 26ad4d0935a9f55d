// Package plan reads plan files: which tables move where, and what moves with them. It
// is strict and reports everything that is wrong at once, with its place. It opens no
// database and reads no environment by itself.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// Drivers that a plan may name.
const (
	SQLite     = "sqlite3"
	PostgreSQL = "pgx"
)

// What may happen to the rows of a split when a row is deleted that they refer to.
const (
	Keep    = "keep"
	Delete  = "delete"
	Nullify = "nullify"
)

// Defaults of what a plan need not say.
const (
	DefaultChunk  = 50 * time.Millisecond  // of SQLite, where a long read makes the write-ahead log grow
	LongChunk     = 250 * time.Millisecond // of PostgreSQL, where readers keep nobody waiting
	DefaultFence  = 100 * time.Millisecond
	DefaultHold   = 5 * time.Second
	DefaultWindow = 7 * 24 * time.Hour
	DefaultQuiet  = 24 * time.Hour
	DefaultStale  = 10 * time.Minute
	DefaultDirty  = 500
	DefaultDisk   = 256 << 20
)

// A Plan is a checked plan file. It is immutable.
type Plan struct {
	Name   string // of the file, for messages
	Hash   string // of the file's bytes
	Split  string
	Source Database
	Target Database
	Tables []Table // in file order
	// CreateTarget says that the engine makes the tables in the target.
	CreateTarget bool
	LooseKeys    []LooseKey
	Routes       Routes
	Proxies      []*url.URL
	Limits       Limits
}

// A Database is a source or target. The DSN may hold a password.
type Database struct {
	Driver string
	DSN    string
}

// A Table is a table that moves, and the columns that have another name in the target.
type Table struct {
	Name    string
	Columns map[string]string // by the name in the source; nil: all have the same names
	Line    int
}

// A LooseKey is a foreign key that the split cuts.
type LooseKey struct {
	From     string // as schema.Reference writes it
	To       string
	OnDelete string
	Line     int
}

// Routes are the routes of the proxies that have to do with the tables.
type Routes struct {
	Flip []string // go over to the service with the tables
	Wait []string // write the tables, too, and wait while they change owners
}

// Limits bound what the engine may take.
type Limits struct {
	Chunk  time.Duration // the longest read of the source
	Fence  time.Duration // how long writers wait at a cut-over
	Hold   time.Duration // how long requests wait at a cut-over
	Window time.Duration // how long the way back stays open
	Quiet  time.Duration // how long no write may have been refused before the way back is given up
	Stale  time.Duration // a verification that is older does not count at a cut-over
	Dirty  int64         // keys that may be left to compare inside the fence
	Disk   int64         // bytes that have to stay free on each disk
}

// TableNames lists the names of the tables in file order.
func (p *Plan) TableNames() []string {
	names := make([]string, len(p.Tables))
	for i, t := range p.Tables {
		names[i] = t.Name
	}
	return names
}

// Options tune Parse. The zero value knows no environment variables.
type Options struct {
	LookupEnv func(name string) (string, bool)
}

// Parse reads and checks source. Its error is a *yamldoc.ProblemsError.
func Parse(name string, source []byte, opts Options) (*Plan, error) {
	doc, err := yamldoc.Parse(name, source)
	if err != nil {
		return nil, err
	}
	if opts.LookupEnv == nil {
		opts.LookupEnv = func(string) (string, bool) { return "", false }
	}
	c := checker{lookup: opts.LookupEnv}
	p := c.plan(doc.Root)
	if len(c.problems) > 0 {
		return nil, doc.Fail(c.problems...)
	}
	sum := sha256.Sum256(source)
	p.Name, p.Hash = name, hex.EncodeToString(sum[:8])
	return p, nil
}
