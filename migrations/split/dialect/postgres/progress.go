package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// Progress records how far a table is, in the transaction of its rows.
func (w *writer) Progress(ctx context.Context, s *schema.Shape, p dialect.Progress) error {
	var passed *time.Time
	if !p.PassedAt.IsZero() {
		passed = &p.PassedAt
	}
	_, err := w.tx.Exec(ctx, `
		INSERT INTO _strangler_progress (split, tbl, cursor, copied, copied_rows, verified, passes, passed_at, repaired)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (split, tbl) DO UPDATE SET cursor = excluded.cursor, copied = excluded.copied, copied_rows = excluded.copied_rows,
			verified = excluded.verified, passes = excluded.passes, passed_at = excluded.passed_at, repaired = excluded.repaired`,
		w.m.Split, s.Table.Name, encodeKey(p.Cursor), p.Copied, p.Rows, encodeKey(p.Verified), p.Passes, passed, p.Repaired)
	return wrapTable(s, explain(err))
}

func encodeKey(k value.Key) []byte {
	if k == nil {
		return nil
	}
	return []byte(k.Encode())
}

func readProgress(ctx context.Context, tx pgx.Tx, split string, into map[string]dialect.Progress) error {
	rows, err := tx.Query(ctx, `
		SELECT tbl, cursor, copied, copied_rows, verified, passes, passed_at, repaired
		FROM _strangler_progress
		WHERE split = $1`, split)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		var cursor, verified []byte
		var passed *time.Time
		var p dialect.Progress
		if err := rows.Scan(&table, &cursor, &p.Copied, &p.Rows, &verified, &p.Passes, &passed, &p.Repaired); err != nil {
			return err
		}
		if p.Cursor, err = value.DecodeKey(cursor); err != nil {
			return err
		}
		if p.Verified, err = value.DecodeKey(verified); err != nil {
			return err
		}
		if passed != nil {
			p.PassedAt = passed.UTC()
		}
		into[table] = p
	}
	return rows.Err()
}
