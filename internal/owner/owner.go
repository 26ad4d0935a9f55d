// Package owner tells an application which side owns a table that may move to a
// service: the source, where the table always was, or the target, the service's
// database.
//
// The answer stands in the application's own database, in _strangler_owner, and is
// read in the transaction of the write that depends on it: so the application changes
// its way at the very transaction of the cut-over, without a restart and without
// asking anybody. It only reads. A table that nobody ever moved has no row, perhaps
// there is not even the table of owners: then the source owns it.
package owner

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// The two sides of a split, as they stand in the column owner.
const (
	Source = "source"
	Target = "target"
)

// An Owner says who owns a table, since which switch. Epoch 0 means that it was never
// switched.
type Owner struct {
	Side  string
	Epoch int64
}

// Target reports whether the table has moved to the service.
func (o Owner) Target() bool { return o.Side == Target }

// Queryer is a transaction, or anything else that reads one row.
type Queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// SQLite returns the owner of table. With tx a transaction that was begun IMMEDIATE
// the answer holds until that ends.
func SQLite(ctx context.Context, tx Queryer, table string) (Owner, error) {
	return read(ctx, tx, table,
		`SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '_strangler_owner'`,
		`SELECT owner, epoch FROM _strangler_owner WHERE table_name = ?`)
}

// Postgres returns the owner of table. A cut-over may come between this and the write:
// then the sealed table refuses the write, and the application asks again.
func Postgres(ctx context.Context, tx Queryer, table string) (Owner, error) {
	return read(ctx, tx, table,
		`SELECT count(to_regclass('_strangler_owner'))`,
		`SELECT owner, epoch FROM _strangler_owner WHERE table_name = $1`)
}

// read looks for the table of owners first: a query of a missing table would end a
// transaction of PostgreSQL.
func read(ctx context.Context, tx Queryer, table, exists, query string) (Owner, error) {
	o, tables := Owner{Side: Source}, 0
	if err := tx.QueryRowContext(ctx, exists).Scan(&tables); err != nil || tables == 0 {
		return o, wrap(table, err)
	}
	err := tx.QueryRowContext(ctx, query, table).Scan(&o.Side, &o.Epoch)
	if errors.Is(err, sql.ErrNoRows) {
		return o, nil
	}
	return o, wrap(table, err)
}

func wrap(table string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read who owns table %s: %w", table, err)
}
