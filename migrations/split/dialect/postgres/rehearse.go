package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// Rehearse leads in a transaction that is rolled back, writes a row of each table as an
// application would, and looks for its key in the log.
func (d *DB) Rehearse(ctx context.Context, m dialect.Move) error {
	w, err := d.begin(ctx, m)
	if err != nil {
		return err
	}
	defer w.Rollback() //nolint:errcheck // never fails
	if err := w.Lead(ctx, dialect.Record{}); err != nil {
		return fmt.Errorf("rehearse: %w", err)
	}
	if _, err := w.tx.Exec(ctx, `SET LOCAL strangler.applying = ''; SET LOCAL session_replication_role = 'origin'`); err != nil {
		return err
	}
	for _, s := range m.Shapes {
		if err := w.rehearse(ctx, s); err != nil {
			return fmt.Errorf("rehearse: table %s: %w", s.Table.Name, explain(err))
		}
	}
	return nil
}

// rehearse touches one row: an update that changes nothing fires every trigger of the
// row. An empty table has nothing to touch; its triggers were looked at by Captured.
func (w *writer) rehearse(ctx context.Context, s *schema.Shape) error {
	l, err := w.layout(ctx, s)
	if err != nil {
		return err
	}
	log := l.captured().log()
	var before, after int64
	if err := w.tx.QueryRow(ctx, "SELECT count(*) FROM "+log).Scan(&before); err != nil {
		return err
	}
	touch := "DELETE FROM " + l.quoted()
	for _, f := range l.columns[:l.written] {
		if s.Table.Column(f.Name).Generated == schema.Written { // an identity cannot be set to itself
			touch = fmt.Sprintf("UPDATE %s SET %s = %s", l.quoted(), quote(f.Name), quote(f.Name))
			break
		}
	}
	tag, err := w.tx.Exec(ctx, fmt.Sprintf("%s WHERE ctid = (SELECT ctid FROM %s LIMIT 1)", touch, l.quoted()))
	if err != nil {
		return fmt.Errorf("a write as the application's was refused: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	if err := w.tx.QueryRow(ctx, "SELECT count(*) FROM "+log).Scan(&after); err != nil {
		return err
	}
	if after == before {
		return errors.New("a write was not logged")
	}
	return nil
}

// collectPairs reads rows of two texts.
func collectPairs(rows pgx.Rows) ([][2]string, error) {
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (p [2]string, err error) {
		return p, r.Scan(&p[0], &p[1])
	})
}
