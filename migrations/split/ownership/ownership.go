// Package ownership moves the ownership of a split's tables from one database to the
// other: a cut-over from the source to the target, a rollback from the target to the
// source. Both are the same list of steps with the roles exchanged.
//
// Each database says in a record of its own who owns the tables, and takes writes
// only if that is itself. A switch closes the giver (seal) before it opens the taker
// (own), so at no moment do both take writes, and between the two steps neither does.
// Whatever happens on the way, what was decided can be read from the two records
// alone: that is what Settle does, after a crash and after a step that failed.
//
// The package knows no SQL and no proxy: databases and proxies come in through small
// interfaces. It promises nothing about a coordinator that lost its claim; every
// write behind those interfaces has to check the claim in its own transaction.
package ownership

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An Owner says which database of a split owns the tables.
type Owner string

// The two owners. Tables that were never split belong to the source.
const (
	Source Owner = "source"
	Target Owner = "target"
)

// Other returns the other owner.
func (o Owner) Other() Owner {
	if o == Source {
		return Target
	}
	return Source
}

// A Record is what one database says about who owns the tables. The epoch grows with
// every decision; 0 means that none was ever made.
type Record struct {
	Owner Owner `json:"owner"`
	Epoch int64 `json:"epoch"`
}

func (r Record) String() string { return fmt.Sprintf("%s (epoch %d)", r.Owner, r.Epoch) }

// A Side is one database of a split. Every method that writes fails with an error
// that matches ErrClaimLost, and has written nothing, if another coordinator has
// claimed the split since.
type Side interface {
	// Record reads what this database says. Without a record the source owns.
	Record(ctx context.Context) (Record, error)
	// Fence keeps everybody else from writing the tables until the Fence ends.
	// It ends by itself when this process dies. It waits for transactions that are
	// writing, within the deadline of ctx. While it lasts nobody can claim this side.
	Fence(ctx context.Context) (Fence, error)
	// Own opens this side for writes and writes the record, in one transaction.
	Own(ctx context.Context, r Record) error
}

// A Fence is an open transaction that locks the tables against writes.
type Fence interface {
	// Pending counts the changes in this side's log that the other has not got.
	Pending(ctx context.Context) (int64, error)
	// Seal closes this side for writes, writes the record and commits. After an
	// error the outcome is unknown: only Record can tell.
	Seal(ctx context.Context, r Record) error
	// Release ends the fence and changes nothing. After Seal it does nothing.
	Release() error
}

// A Flow carries what the giver has to the taker, while the giver is fenced.
type Flow interface {
	// Drain applies the giver's log to the taker until nothing is left.
	Drain(ctx context.Context, f Fence) error
	// Verify compares the rows that changed since they were last found equal.
	Verify(ctx context.Context, f Fence) error
	// Sequences carries over every high-water mark of generated keys.
	Sequences(ctx context.Context, f Fence) error
}

// Proxies are the proxies in front of both sides; there may be none. All methods may
// be repeated. They are told of a decision and never make one.
type Proxies interface {
	// Hold parks requests of the split's routes. It ends by itself when nobody
	// renews it, to where the routes lead. A later claim's hold replaces it.
	Hold(ctx context.Context) error
	// Drain waits until the requests that were on their way at Hold have ended.
	Drain(ctx context.Context) error
	// Follow makes the routes lead to the owner. An older epoch than the last one
	// is refused.
	Follow(ctx context.Context, r Record) error
	// Release lets the parked requests go, to where the routes now lead, whichever
	// coordinator of this or an earlier claim parked them.
	Release(ctx context.Context) error
}

// ErrClaimLost reports that another coordinator has claimed the split: this one may
// write nothing any more, and has to end.
var ErrClaimLost = errors.New("another coordinator has taken over this split")

// ErrPending reports that a giver still had changes in its log when it should have
// been sealed.
var ErrPending = errors.New("the change log is not empty")

// Parties are everybody who takes part in a switch.
type Parties struct {
	Source, Target Side
	Proxies        Proxies
}

// side returns the database that o names.
func (p Parties) side(o Owner) Side {
	if o == Source {
		return p.Source
	}
	return p.Target
}

// An Event tells that a step begins or has ended.
type Event struct {
	Step string        `json:"step"`
	Done bool          `json:"done"`
	Took time.Duration `json:"took,omitempty"`
	Err  error         `json:"-"`
}
