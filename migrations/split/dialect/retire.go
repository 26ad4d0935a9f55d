package dialect

import (
	"context"
	"time"
)

// Retired is what the table is called whose rows nobody needs any more.
func Retired(table string) string { return Prefix + "old_" + table }

// A Retirer is a Database that can put away the tables of a side that follows, when the
// way back is given up. Everything may be repeated: where it was done it does nothing.
// Tables are named, because a move that was interrupted cannot be described any more.
type Retirer interface {
	// Retired is what a table is called once it is retired.
	Retired(table string) string
	// DecidedAt is when the owner of a table was last decided; zero if never.
	DecidedAt(ctx context.Context, table string) (time.Time, error)
	// Keep records whether the rows are to be kept, before the first thing that cannot be
	// undone: who goes on with what was interrupted may have forgotten.
	Keep(ctx context.Context, m Move, keep bool) error
	// Kept is what Keep has recorded; false if nothing.
	Kept(ctx context.Context, split string) (bool, error)
	// Retire takes the guard away and gives the tables their retired names, all or none:
	// from then on nobody takes them for tables that are in use.
	Retire(ctx context.Context, m Move, tables []string) error
	// Shrink deletes at most limit rows of a retired table and returns how many.
	Shrink(ctx context.Context, m Move, table string, limit int) (int64, error)
	// Discard drops a retired table.
	Discard(ctx context.Context, m Move, table string) error
}
