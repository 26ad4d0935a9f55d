package postgres

import (
	"context"
	"fmt"
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

// isAt makes sure that rows up to cursor have been copied and no more. A server that crashed
// may have taken back the last chunks, and have come back before anybody noticed.
func (w *writer) isAt(ctx context.Context, s *schema.Shape, cursor value.Key) error {
	var same bool
	err := w.tx.QueryRow(ctx, `SELECT coalesce((SELECT cursor FROM _strangler_progress WHERE split = $1 AND tbl = $2), '') = coalesce($3, ''::bytea)`,
		w.m.Split, s.Table.Name, encodeKey(cursor)).Scan(&same)
	if err == nil && !same {
		err = fmt.Errorf("%w: the server has forgotten the rows that were copied last", dialect.ErrBusy)
	}
	return wrapTable(s, explain(err))
}

func encodeKey(k value.Key) []byte {
	if k == nil {
		return nil
	}
	return []byte(k.Encode())
}

func readProgress(ctx context.Context, tx pgx.Tx, split string, into map[string]dialect.Progress) error {
	for _, table := range []string{"_strangler_progress", "_strangler_parked"} {
		if there, err := thereIs(ctx, tx, table); err != nil || !there { // who writes it will say so
			return err
		}
	}
	rows, err := tx.Query(ctx, `
		SELECT coalesce(g.tbl, k.tbl), g.cursor, coalesce(g.copied, false), coalesce(g.copied_rows, 0), g.verified, coalesce(g.passes, 0), g.passed_at,
			coalesce(g.repaired, 0), k.tbl IS NOT NULL
		FROM (SELECT * FROM _strangler_progress WHERE split = $1) g
		FULL JOIN (SELECT tbl FROM _strangler_parked WHERE split = $1 AND name = $2) k USING (tbl)`, split, keylessMark)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var table string
		var cursor, verified []byte
		var passed *time.Time
		var p dialect.Progress
		if err := rows.Scan(&table, &cursor, &p.Copied, &p.Rows, &verified, &p.Passes, &passed, &p.Repaired, &p.Keyless); err != nil {
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
