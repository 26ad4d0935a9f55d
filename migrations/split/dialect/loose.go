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
//   - While the source follows it lets the database's own cascades pass the guard, and
//     logs which rows are gone that its tables referred to.
//   - The target deletes the rows that referred to them, or sets the reference to NULL, as
//     an application would: the change is logged and comes back to the source.

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
	Handle  any // for PruneLoose
}

// A LooseEntry is a row that was deleted, or may have been.
type LooseEntry struct {
	Key    LooseKey  // that leads to it
	Parent value.Key // its values of the columns that are referred to
	Gone   bool      // it is not there; else it was replaced, or there is another one
}

// A LooseSnapshot is a Snapshot of a source that logs such rows.
type LooseSnapshot interface {
	Loose(ctx context.Context, limit int) (LooseLog, error)
}

// A LooseTx is a Tx that can carry them over.
type LooseTx interface {
	// Cascade deletes the rows that refer to the entry's row, or sets their reference to
	// NULL. If that row is there it only logs their keys, so that they are brought over
	// again: the source's own cascade may have deleted them there. The same goes for rows
	// further down, see Move.Below: they are logged in any case.
	Cascade(ctx context.Context, e LooseEntry) error
	PruneLoose(ctx context.Context, l LooseLog) error
}
