package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// readRefused reads what the seals of a split's tables have counted.
func readRefused(ctx context.Context, tx pgx.Tx, split string, st *dialect.State) error {
	rows, err := tx.Query(ctx, `SELECT tbl FROM _strangler_captured WHERE split = $1`, split)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	var counts, times []string
	for _, table := range tables {
		n := parseName(table)
		counts, times = append(counts, refusedSequence(n)), append(times, refusedAtSequence(n))
	}
	var at int64
	if err := tx.QueryRow(ctx, `
		SELECT coalesce((SELECT sum(pg_sequence_last_value(to_regclass(s))) FROM unnest($1::text[]) s), 0)::bigint,
			coalesce((SELECT max(pg_sequence_last_value(to_regclass(s))) FROM unnest($2::text[]) s), 0)`, counts, times).Scan(&st.Refused, &at); err != nil {
		return err
	}
	if at > 0 {
		st.RefusedAt = time.UnixMilli(at).UTC()
	}
	return nil
}
