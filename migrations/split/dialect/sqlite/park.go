package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// Park takes away the indexes that are not unique: building them at the end is several
// times faster than keeping them up while rows come in.
func (t *Tx) Park(ctx context.Context, s *schema.Shape) (keyless bool, err error) {
	for _, index := range s.Table.Indexes {
		err := park(ctx, t.tx, t.move.Split, s.Table.Name, object{Type: "index", Name: index.Name, SQL: index.SQL})
		if err != nil {
			return false, t.db.explain(err, "put index "+index.Name+" away")
		}
	}
	return false, nil
}

// Unpark makes them again.
func (t *Tx) Unpark(ctx context.Context, s *schema.Shape) error {
	return t.db.explain(unpark(ctx, t.tx, t.move.Split, "index", s.Table.Name), "table "+s.Table.Name+": bring indexes back")
}

// parkTriggers puts the application's triggers of a table away.
func parkTriggers(ctx context.Context, tx *sqlx.Tx, split, table string) error {
	var triggers []object
	err := tx.SelectContext(ctx, &triggers, `SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE`, table)
	if err != nil {
		return err
	}
	for _, o := range triggers {
		if strings.HasPrefix(o.Name, dialect.Prefix) {
			continue
		}
		if err := park(ctx, tx, split, table, o); err != nil {
			return fmt.Errorf("put trigger %s away: %w", o.Name, err)
		}
	}
	return nil
}

// park drops an index or trigger and records how it was made. What is already parked
// stays as it was; without main its name could be found in a source that is attached.
func park(ctx context.Context, tx *sqlx.Tx, split, table string, o object) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO `+parkedTable+`(split, tbl, type, name, sql) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		split, table, o.Type, o.Name, o.SQL)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DROP `+strings.ToUpper(o.Type)+` IF EXISTS main.`+quote(o.Name))
	return err
}

// unpark makes what was parked again; an empty table means all of the split.
func unpark(ctx context.Context, tx *sqlx.Tx, split, kind, table string) error {
	var parked []object
	err := tx.SelectContext(ctx, &parked, `SELECT type, name, tbl AS tbl_name, sql FROM `+parkedTable+` WHERE split = ? AND type = ? AND (tbl = ? OR ? = '') ORDER BY seq`,
		split, kind, table, table)
	if err != nil {
		return err
	}
	for _, o := range parked {
		there, err := has(ctx, tx, o.Table)
		if err != nil {
			return err
		}
		if there {
			if _, err := tx.ExecContext(ctx, o.SQL); err != nil {
				return fmt.Errorf("bring %s %s back: %w", o.Type, o.Name, err)
			}
		}
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM `+parkedTable+` WHERE split = ? AND type = ? AND (tbl = ? OR ? = '')`, split, kind, table, table)
	return err
}

func has(ctx context.Context, q queryer, table string) (bool, error) {
	var n int
	err := q.GetContext(ctx, &n, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE`, table)
	return n > 0, err
}
