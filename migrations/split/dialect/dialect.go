// Package dialect is the border between the split engine and a database. The engine
// decides; a dialect knows the SQL of its database and nothing of the other side, which
// may be of another kind.
//
// Both databases of a split implement the same Database, because they exchange their
// roles: at any time one of them *leads* (applications write it, and a trigger logs the
// key of each row that they change) and the other one *follows* (a guard refuses every
// write but the engine's). A cut-over makes the source follow and the target lead, a
// rollback the opposite.
//
// What the engine relies on, in every dialect:
//
//   - A logged key and the change that it stands for become visible in the same instant.
//   - A key is logged for every row that appears, changes or goes away, however that
//     comes about: also rows that REPLACE displaces, cascades, and the old key of a row
//     whose key changes.
//   - One Snapshot sees one state of the whole database.
//   - Begin checks the claim in its own transaction, so that a coordinator that was
//     replaced writes nothing.
//   - Values come back as they went in: same kind, same bytes.
//
// Everything that a dialect makes in a database has a name that begins with Prefix.
package dialect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// Prefix begins the name of every object that the engine makes in a database.
const Prefix = "_strangler_"

// The owners that a Record may name.
const (
	Source = "source"
	Target = "target"
)

// A Database is one side of a split. It is safe for concurrent use unless a method says
// otherwise. Who opened it closes it.
type Database interface {
	// Info says what this is; it holds no secret.
	Info() Info
	// Catalog describes the tables named and what hangs on them. It changes nothing.
	Catalog(ctx context.Context, tables []string) (*schema.Catalog, error)
	// State reads what the engine has recorded about a split here. Where there is
	// nothing the zero State comes back. It changes nothing.
	State(ctx context.Context, split string) (State, error)

	// CreateTables makes the tables that are not there yet, as the catalog of the other
	// side describes them: without their triggers, and without foreign keys to tables
	// outside of the split. It records them, so that Remove with Drop removes them again.
	CreateTables(ctx context.Context, m Move, tables []*schema.Table) error
	// Prepare makes the engine's own objects for the move and records it. It may be
	// repeated. It fails with ErrOtherMove if the split's objects belong to another one.
	Prepare(ctx context.Context, m Move) error
	// Claim makes claim the current one, if it is greater than the present one:
	// otherwise it fails with ErrClaimLost. holder says for people who claims.
	Claim(ctx context.Context, split string, claim int64, holder string) error
	// Mend makes anew those of the engine's tables that somebody dropped and that can be
	// missed, and names them. Changes that stood in a log are lost: the side that leads
	// stops to log, so that Captured says so and no write of the application fails for want
	// of the log. Without the keys to compare nothing counts as compared any more.
	Mend(ctx context.Context, m Move) ([]string, error)
	// Remove takes away every object of the split: triggers before the tables they
	// write, so that no application's write ever fails. It may be repeated.
	Remove(ctx context.Context, m Move, o RemoveOptions) error

	// Snapshot begins to read one state. It is closed soon: within some 50 ms.
	Snapshot(ctx context.Context, m Move) (Snapshot, error)
	// Begin begins to write as the engine: guard and capture of this move let its writes
	// pass. It fails with ErrClaimLost if m.Claim is not the current one.
	Begin(ctx context.Context, m Move) (Tx, error)
	// Fence is Begin that keeps everybody else from writing the tables until the
	// transaction ends, which it also does when this process dies. It waits for
	// transactions that are writing them, within the deadline of ctx.
	Fence(ctx context.Context, m Move) (Tx, error)
	// Rehearse proves that this side could lead: in a transaction that is rolled back it
	// leads, changes a row of each table as an application would, and finds the key in
	// the log. It changes nothing.
	Rehearse(ctx context.Context, m Move) error

	// Usage tells how much room there is.
	Usage(ctx context.Context) (Usage, error)
	Close() error
}

// Info describes a database for people.
type Info struct {
	Driver  string `json:"driver"`  // as in the plan
	Name    string `json:"name"`    // the file, or host and database: no password
	Version string `json:"version"` // of the database
}

// A Move is one run of a split from plan to complete or abort. Shapes are those of the
// side it is handed to.
type Move struct {
	Split  string
	ID     string // of this move; another move of the same split has another one
	Role   string // Source or Target: what this side was when the move began
	Claim  int64  // of the coordinator
	Holder string // of the claim: command, process, machine and since when
	Shapes []*schema.Shape
	Loose  []LooseKey // keys that the split cuts
	// Inner are the keys between tables of the split, as the source declares them.
	Inner []schema.ForeignKey
	// Fence is how long the plan lets a fence last. Whoever keeps one for much longer has
	// been stopped, and a server takes it from him.
	Fence time.Duration
}

// A LooseKey is a foreign key that the split cuts and that the plan names.
type LooseKey struct {
	schema.ForeignKey
	OnDelete string // keep, delete or nullify
}

// Declared reports whether the source itself declares the key, so that its rows never
// referred to others in vain.
func (k LooseKey) Declared() bool { return k.ForeignKey.OnDelete != "" }

// Shape returns the shape of a table, or nil.
func (m Move) Shape(table string) *schema.Shape {
	for _, s := range m.Shapes {
		if s.Table.Name == table {
			return s
		}
	}
	return nil
}

// Carried lists the loose keys from tables of the move whose rows go with what they refer
// to.
func (m Move) Carried() []LooseKey {
	var keys []LooseKey
	for _, k := range m.Loose {
		if k.OnDelete != "keep" && m.Shape(k.Table) != nil {
			keys = append(keys, k)
		}
	}
	return keys
}

// A Record says who owns the tables of a split. The epoch grows with every decision.
type Record struct {
	Owner string `json:"owner"`
	Epoch int64  `json:"epoch"`
}

// A State is what one database knows about a split. With the State of the other one it
// is all that recovery needs.
type State struct {
	Move    string // ID; empty: nothing is recorded
	Role    string
	Claim   int64
	Holder  string // of the claim, for people; empty: not known
	Record  Record // Owner is Source where nothing is recorded
	Created []string
	// Installed says that Lead or Follow was committed at least once, and Leads which of
	// them was the last. Without it this side has not been given its first role yet.
	Installed, Leads bool
	Tables           map[string]Progress // by table, on the side that follows
	// Others are tables of other splits that have begun here, and which splits those are. A
	// table belongs to one at a time: of two that each switch it, two would own it.
	Others map[string]string
	// Refused counts the writes that this side has refused because it follows, since the
	// move began. SQLite forgets those of a transaction that is rolled back, so there are
	// at least so many. RefusedAt is the last one; zero: there was none.
	Refused   int64
	RefusedAt time.Time
}

// Progress is how far the copy of one table is, as the target records it in the
// transactions that write the rows.
type Progress struct {
	Cursor value.Key // rows up to here have been copied
	Copied bool      // all of them
	Rows   int64     // written by the copy
	// Keyless says that the index of the key is parked. Then the table holds exactly the
	// rows that were copied, and none is looked for by its key. Park and Unpark record it.
	Keyless  bool
	Verified value.Key // rows up to here have been found equal, in the present pass
	Passes   int64     // passes over the whole table that found everything equal
	PassedAt time.Time // when the last one ended
	Repaired int64     // rows that differed and were copied again
}

// RemoveOptions say what Remove takes away besides the engine's own objects.
type RemoveOptions struct {
	Drop  bool // the tables that CreateTables made
	Owner bool // the ownership record, too: as if the split had never been
}

// A Snapshot reads one state of the database. It is not safe for concurrent use.
type Snapshot interface {
	// Captured reports whether every trigger of this side's present role is as it was
	// installed, and every table as it was planned: nil, or a *LostError.
	Captured(ctx context.Context) error
	// Log reads up to limit entries that this side has logged and that were not pruned.
	Log(ctx context.Context, limit int) (Log, error)
	// Pending reports whether a key is in the log.
	Pending(ctx context.Context, s *schema.Shape, key value.Key) (bool, error)
	// Beyond reports whether key stands behind cursor in the order that Rows has.
	Beyond(ctx context.Context, s *schema.Shape, key, cursor value.Key) (bool, error)
	// Rows calls yield with the rows of a range, in the order of the key, each with its
	// computed columns. Two databases may order the same keys differently.
	Rows(ctx context.Context, s *schema.Shape, r Range, yield func(value.Row) error) error
	// Lookup calls yield with the rows of these keys that exist, in any order.
	Lookup(ctx context.Context, s *schema.Shape, keys []value.Key, yield func(value.Row) error) error
	// Dirty reads up to limit keys that Tx.MarkDirty has marked.
	Dirty(ctx context.Context, s *schema.Shape, limit int) ([]value.Key, error)
	// LogCount counts the entries of the log that were not applied, up to most: counting
	// more would take longer than it is worth.
	LogCount(ctx context.Context, most int64) (int64, error)
	// DirtyCount counts them, of all tables.
	DirtyCount(ctx context.Context) (int64, error)
	// Count counts rows. It may take long: it is meant for the fence and for reports.
	Count(ctx context.Context, s *schema.Shape) (int64, error)
	// Fraction tells which part of the table stands up to key, between 0 and 1.
	Fraction(ctx context.Context, s *schema.Shape, key value.Key) (float64, error)
	// HighWater is the greatest key (for a negative step the least) that the table's
	// sequence has ever handed out or that stands in it; ok is false without a sequence.
	HighWater(ctx context.Context, s *schema.Shape) (high int64, ok bool, err error)
	// Orphans names rows whose foreign keys inside of the split lead nowhere, at most
	// limit of them.
	Orphans(ctx context.Context, limit int) ([]string, error)
	// Dangling names what of these foreign keys of tables outside of the split leads
	// nowhere, at most limit references.
	Dangling(ctx context.Context, keys []schema.ForeignKey, limit int) ([]string, error)
	Close() error
}

// A Range is a part of a table in the order of its key.
type Range struct {
	After value.Key // exclusive; nil: from the beginning
	Upto  value.Key // inclusive; nil: to the end
	Limit int       // rows; 0: no limit
	Bytes int       // stop after a row when about so many have been read; 0: no limit
}

// A Log is a part of a change log. It is a set, not a history: its entries say only
// which rows may have changed.
type Log struct {
	Entries []Entry
	More    bool      // there is more in the log
	Oldest  time.Time // when the oldest entry was written; zero: unknown or none
	Handle  any       // for Tx.Prune: exactly these entries
}

// An Entry is one entry of the log. An entry without a key stands for the whole table,
// e.g. after a TRUNCATE.
type Entry struct {
	Table string
	Key   value.Key
	// At is when the change was written, by this process's clock; zero where the log does
	// not tell.
	At time.Time
}

// A Tx writes as the engine. It is not safe for concurrent use. Every method may fail,
// and after a failure other than a *ClashError only Rollback is possible.
type Tx interface {
	// DeleteRange deletes the rows behind after up to and including upto; nil means from
	// the beginning, or to the end.
	DeleteRange(ctx context.Context, s *schema.Shape, after, upto value.Key) error
	// DeleteKeys deletes the rows of these keys that exist.
	DeleteKeys(ctx context.Context, s *schema.Shape, keys []value.Key) error
	// Insert inserts rows in order, without their computed columns. When a row cannot be because others stand in its way
	// it stops before that row, and the error is a *ClashError; the rows before it stay.
	Insert(ctx context.Context, s *schema.Shape, rows []value.Row) error
	// Progress records how far the table is.
	Progress(ctx context.Context, s *schema.Shape, p Progress) error
	// MarkDirty remembers keys that have to be compared (again).
	MarkDirty(ctx context.Context, s *schema.Shape, keys []value.Key) error
	// ClearDirty forgets them.
	ClearDirty(ctx context.Context, s *schema.Shape, keys []value.Key) error
	// Enqueue logs keys as if an application had changed their rows.
	Enqueue(ctx context.Context, s *schema.Shape, keys []value.Key) error
	// Prune deletes the entries of l, and no other, from the log of this side.
	Prune(ctx context.Context, l Log) error
	// Pending counts the entries in the log of this side.
	Pending(ctx context.Context) (int64, error)

	// Park takes away indexes before a table is copied, and Unpark makes them again as they
	// were: rows are copied faster without. What is parked is recorded. It may be the index of
	// the key, too, if the table is empty; see Progress.Keyless. Unpark fails with a
	// *ClashError, whose Others are one key, if several rows have that one.
	Park(ctx context.Context, s *schema.Shape) (keyless bool, err error)
	Unpark(ctx context.Context, s *schema.Shape) error
	// Lead opens this side for applications: it writes the record, takes away the guard,
	// brings back the application's triggers and logs changes from now on. A Record of
	// epoch 0 is not written: nothing was ever decided.
	Lead(ctx context.Context, r Record) error
	// Follow closes this side: it writes the record, sets the guard, puts the
	// application's triggers away, and logs nothing any more.
	Follow(ctx context.Context, r Record) error
	// RaiseSequence makes the next generated key lie beyond high.
	RaiseSequence(ctx context.Context, s *schema.Shape, high int64) error

	Commit() error
	// Rollback ends the transaction; after Commit it does nothing.
	Rollback() error
}

// A Converter is a Database that can take rows from one of another kind, or knows which
// differences of type stand against rows of its own.
type Converter interface {
	// Convert returns a function that changes a row of from into one of to, in place, or
	// the obstacles that stand against that. Only a value that does not fit makes the
	// function fail; the error names the column. No function: rows stay as they are.
	Convert(driver string, from, to *schema.Shape) (func(value.Row) error, []schema.Obstacle)
}

// Needs are what a role has to have the right to, beside the tables of a split that are
// there.
type Needs struct {
	Make  []string            // tables
	Watch []string            // tables whose deletions are carried over
	Read  []schema.ForeignKey // of tables that stay, to those of the split
}

// A Warden is a Database in which not everybody may do everything.
type Warden interface {
	// Rights names what the engine's role may not do.
	Rights(ctx context.Context, n Needs) ([]schema.Obstacle, error)
}

// A Translator is a Database whose CreateTables can make tables of another kind.
type Translator interface {
	// Translate describes the table that would be made, or what stands against it.
	Translate(t *schema.Table) (*schema.Table, []schema.Obstacle)
}

// A Direct target reads a source of its own kind by itself, which is faster than through
// rows in memory and means the same. Every method works like the engine's own loop.
type Direct interface {
	// CopyChunk does a whole chunk in one transaction: rows behind p.Cursor, at most
	// limit, and the progress. Of a table that is Keyless it may be several transactions, each
	// with its progress. It returns what was recorded also when it fails, and a *ClashError
	// means that nothing was done beyond that.
	CopyChunk(ctx context.Context, m Move, from, to *schema.Shape, p Progress, limit int) (Progress, error)
	// Same compares up to limit rows behind after on both sides, in one state of each.
	Same(ctx context.Context, m Move, from, to *schema.Shape, after value.Key, limit int) (Compared, error)
}

// Compared is what Direct.Same found.
type Compared struct {
	Rows int64
	Last value.Key // of the rows compared; nil: there is none behind
	Same bool
}

// Directly is a Database that can be Direct.
type Directly interface {
	// Direct returns the fast way from source, or nil if there is none.
	Direct(ctx context.Context, source Database) (Direct, error)
}

// A Lazy is a Database that can commit without waiting for the disk.
type Lazy interface {
	// BeginLazily is Begin for what may be undone by a crash of the machine, also after its
	// commit: because it would be done again. Never is a part of it undone, nor anything
	// that was committed before.
	BeginLazily(ctx context.Context, m Move) (Tx, error)
}

// Usage is how much room there is.
type Usage struct {
	Bytes int64 // of the database
	Log   int64 // of the write-ahead log
	Free  int64 // on the disk; -1: unknown
}

// Errors that the engine tells apart.
var (
	// ErrClaimLost reports that another coordinator has claimed the split.
	ErrClaimLost = errors.New("another coordinator has taken over this split")
	// ErrOtherMove reports that the split's objects in a database belong to another move.
	ErrOtherMove = errors.New("the database holds the state of another move")
	// ErrOtherSplit reports that a table is part of another split that has begun.
	ErrOtherSplit = errors.New("complete or abort that split first")
	// ErrBusy reports that a lock was not to be had in time. Later it may be.
	ErrBusy = errors.New("the database is locked by somebody else")
	// ErrFull reports that there is no room on the disk.
	ErrFull = errors.New("the disk is full")
)

// A ClashError reports that rows stand in the way of one that is to be inserted.
type ClashError struct {
	Table string
	Row   int // its place among the rows that were to be inserted
	// Others are the rows in its way. Empty: it is not known which these are.
	Others []value.Key
	Err    error
}

func (e *ClashError) Error() string {
	return fmt.Sprintf("table %s: a row clashes with others: %v", e.Table, e.Err)
}

// Unwrap lets errors.Is see the cause.
func (e *ClashError) Unwrap() error { return e.Err }

// A LostError reports that changes of a table may have gone by without being logged.
type LostError struct {
	Table  string
	Reason string
}

func (e *LostError) Error() string {
	return fmt.Sprintf("table %s: changes may have been missed: %s", e.Table, e.Reason)
}
