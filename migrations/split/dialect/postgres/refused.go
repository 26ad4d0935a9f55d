package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// readRefused reads what the seals of every schema have counted.
func readRefused(ctx context.Context, tx pgx.Tx, st *dialect.State) error {
	rows, err := tx.Query(ctx, `SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = $1 AND c.relkind = 'S'`, refusedSequence)
	if err != nil {
		return err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, s := range schemas {
		n := name{Schema: s}
		var count int64
		if err := tx.QueryRow(ctx, `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM `+n.sibling(refusedSequence)).Scan(&count); err != nil {
			return err
		}
		st.Refused += count
		var there bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, n.sibling(refusedAtSequence)).Scan(&there); err != nil {
			return err
		}
		if !there || count == 0 {
			continue
		}
		var at int64
		if err := tx.QueryRow(ctx, `SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM `+n.sibling(refusedAtSequence)).Scan(&at); err != nil {
			return err
		}
		if t := time.UnixMilli(at).UTC(); at > 0 && t.After(st.RefusedAt) {
			st.RefusedAt = t
		}
	}
	return nil
}
