package dialect

import (
	"context"
	"strings"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// A split cuts the foreign keys between its tables and others, but a row that others
// refer to may still be deleted, on the source, after the target has taken over. A
// dialect that implements the two interfaces below carries that over, as the plan says of
// each loose key:
//
//   - While the source follows its guard does not stand in the way of what the database's
//     own foreign keys do, and it is logged which rows are gone that its tables referred to.
//     SQLite lets the cascade act on the source's copy; PostgreSQL lets it do nothing.
//   - The target deletes the rows that referred to them, or sets the reference to NULL, as
//     an application would: the change is logged and comes back to the source.
//   - When the source leads again it does so itself with what was left, in the transaction
//     that opens it: from then on its own foreign keys answer.

// Below lists the keys inside of the split by which the database itself changes rows that
// refer to deleted ones of a table.
func (m Move) Below(table string) []schema.ForeignKey {
	var keys []schema.ForeignKey
	for _, fk := range m.Inner {
		if strings.EqualFold(fk.Parent, table) && m.Shape(fk.Table) != nil && (fk.OnDelete == Cascades || fk.OnDelete == SetsNull) {
			keys = append(keys, fk)
		}
	}
	return keys
}

// What a foreign key may say of rows that refer to a deleted one.
const (
	Cascades = "CASCADE"
	SetsNull = "SET NULL"
)

// DeepestCascade is how far down Below is followed: a table may refer to itself.
const DeepestCascade = 8

// A LooseLog is a part of what the source has logged about rows that are gone.
type LooseLog struct {
	Entries []LooseEntry
	Handle  any // for PruneLoose; nil: nothing was logged
	// Unwatched says that rows may have gone by without being logged: see LooseTx.Watch.
	Unwatched bool
	// Acted says that the database has changed this side's own rows, too, so that they may
	// not be those of the side that leads.
	Acted bool
}

// A LooseEntry is a row that was deleted, or may have been.
type LooseEntry struct {
	Key    LooseKey  // that leads to it
	Parent value.Key // its values of the columns that are referred to
	Gone   bool      // it is not there; else it was replaced, or there is another one
}

// A LooseReader reads what a source logs of such rows.
type LooseReader interface {
	Loose(ctx context.Context, limit int) (LooseLog, error)
}

// A LooseTx is a Tx that can carry them over.
type LooseTx interface {
	// Cascade deletes rows that refer to the entry's row, or sets their reference to
	// NULL: limit of them, and it returns how many these were. If that row is there it
	// only logs their keys, so that they are brought over again: the source's own cascade
	// may have deleted them there. The same goes for rows further down, see Move.Below:
	// they are logged in any case.
	Cascade(ctx context.Context, e LooseEntry, limit int) (int, error)
	PruneLoose(ctx context.Context, l LooseLog) error
	// Watch mends a source that is Unwatched, and logs anew which rows are gone that
	// others of its tables refer to, as far as it can tell.
	Watch(ctx context.Context) error
}

// looseBatch is how many rows that are gone are settled at a time.
const looseBatch = 1000

// SettleLoose does what is left on the side that knows of it.
func SettleLoose(ctx context.Context, side interface {
	LooseReader
	LooseTx
},
) error {
	for {
		log, err := side.Loose(ctx, looseBatch)
		if err != nil || log.Handle == nil {
			return err
		}
		for _, e := range log.Entries {
			for n := looseBatch; n == looseBatch; {
				if n, err = side.Cascade(ctx, e, looseBatch); err != nil {
					return err
				}
			}
		}
		if err := side.PruneLoose(ctx, log); err != nil {
			return err
		}
	}
}
