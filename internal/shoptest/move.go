package shoptest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/owner"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

// Move gives a table of SQLite to side (owner.Source or owner.Target) by hand, for
// tests of what depends on who owns it. It copies all rows inside of one transaction
// and keeps to the order of a cut-over: no writer gets in between, and the giver is
// sealed before the taker opens. Nothing follows afterwards; that is the engine's art.
func Move(ctx context.Context, source, target *sqlite.DB, table, side string, epoch int) error {
	giver, taker := source, target
	if side == owner.Source {
		giver, taker = target, source
	}
	err := giver.Tx(ctx, func(tx *sqlx.Tx) error { // the fence
		rows, err := allRows(ctx, tx, table)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := taker.Tx(ctx, func(tx *sqlx.Tx) error { return fill(ctx, tx, table, rows) }); err != nil {
			return fmt.Errorf("copy: %w", err)
		}
		if err := seal(ctx, tx, table, side); err != nil {
			return fmt.Errorf("seal: %w", err)
		}
		return record(ctx, tx, table, side, epoch)
	})
	if err == nil {
		err = taker.Tx(ctx, func(tx *sqlx.Tx) error { return record(ctx, tx, table, side, epoch) }) // the decision
	}
	if err != nil {
		return fmt.Errorf("move %s to the %s: %w", table, side, err)
	}
	return nil
}

func allRows(ctx context.Context, tx *sqlx.Tx, table string) ([]map[string]any, error) {
	list, err := tx.QueryxContext(ctx, `SELECT * FROM `+table) //nolint:sqlclosecheck // it is, below
	if err != nil {
		return nil, err
	}
	defer list.Close()
	var rows []map[string]any
	for list.Next() {
		row := map[string]any{}
		if err := list.MapScan(row); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, list.Err()
}

var events = []string{"INSERT", "UPDATE", "DELETE"}

// fill replaces all rows of a table, and takes its seal off.
func fill(ctx context.Context, tx *sqlx.Tx, table string, rows []map[string]any) error {
	for _, event := range events {
		if _, err := tx.ExecContext(ctx, `DROP TRIGGER IF EXISTS _strangler_seal_`+event); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM `+table); err != nil {
		return err
	}
	for _, row := range rows {
		columns := slices.Sorted(maps.Keys(row))
		if _, err := tx.NamedExecContext(ctx, `
			INSERT INTO `+table+` (`+strings.Join(columns, ", ")+`)
			VALUES (:`+strings.Join(columns, ", :")+`)`, row); err != nil {
			return err
		}
	}
	return nil
}

func seal(ctx context.Context, tx *sqlx.Tx, table, side string) error {
	for _, event := range events {
		if _, err := tx.ExecContext(ctx, `
			CREATE TRIGGER _strangler_seal_`+event+` BEFORE `+event+` ON `+table+` BEGIN
				SELECT RAISE(ABORT, 'table "`+table+`" is owned by the `+side+`');
			END`); err != nil {
			return err
		}
	}
	return nil
}

func record(ctx context.Context, tx *sqlx.Tx, table, side string, epoch int) error {
	if _, err := tx.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS _strangler_owner (
			table_name TEXT PRIMARY KEY,
			owner      TEXT NOT NULL,
			epoch      INTEGER NOT NULL,
			decided_at TEXT NOT NULL
		)`); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO _strangler_owner (table_name, owner, epoch, decided_at)
		VALUES (?, ?, ?, strftime('%Y-%m-%dT%H:%M:%SZ'))
		ON CONFLICT (table_name) DO UPDATE
		SET owner = excluded.owner, epoch = excluded.epoch, decided_at = excluded.decided_at`, table, side, epoch)
	return err
}
