package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// Remove takes away every object of the split.
func (d *DB) Remove(ctx context.Context, m dialect.Move, o dialect.RemoveOptions) error {
	created, err := d.State(ctx, m.Split)
	if err != nil {
		return err
	}
	return d.withLocks(ctx, "remove split "+m.Split, func(tx pgx.Tx) error {
		if err := serialize(ctx, tx); err != nil {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass('_strangler_move') IS NOT NULL`).Scan(&there); err != nil || !there {
			return err
		}
		if err := execAll(ctx, tx, []string{makeParked, makeProgress, makeCreated}); err != nil { // somebody may have dropped them
			return err
		}
		tables, err := tablesOf(ctx, tx, m)
		if err != nil {
			return err
		}
		if err := unwatch(ctx, tx, m.Split); err != nil {
			return err
		}
		for _, table := range tables {
			if err := unpark(ctx, tx, m.Split, table); err != nil {
				return err
			}
			if err := uninstall(ctx, tx, table); err != nil {
				return fmt.Errorf("table %s: %w", table, err)
			}
		}
		if o.Drop {
			for _, t := range created.Created {
				if _, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+parseName(t).quoted()+" CASCADE"); err != nil {
					return err
				}
			}
		}
		return forget(ctx, tx, m, o)
	})
}

// tablesOf names the tables of a move: those that can be described, and those that were
// retired or dropped meanwhile.
func tablesOf(ctx context.Context, tx pgx.Tx, m dialect.Move) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT tbl FROM _strangler_captured WHERE split = $1 UNION SELECT unnest($2::text[]) ORDER BY 1`, m.Split, tableNames(m))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// uninstall takes the objects of one table away, which may itself be gone.
func uninstall(ctx context.Context, tx pgx.Tx, table string) error {
	n := parseName(table)
	rel, err := n.relation(ctx, tx.Conn())
	switch {
	case errors.Is(err, errNoTable):
	case err != nil:
		return err
	default:
		n = rel.name()
		if err := execAll(ctx, tx, []string{
			fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", sealTrigger, n.quoted()),
			fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", sealTruncate, n.quoted()),
			fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", passTrigger, n.quoted()),
			fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", captureTrigger, n.quoted()),
			fmt.Sprintf("DROP TRIGGER IF EXISTS %s ON %s", truncateTrigger, n.quoted()),
			"DROP INDEX IF EXISTS " + n.sibling(objectOf("order", n.Table)),
		}); err != nil {
			return err
		}
	}
	return execAll(ctx, tx, dropBesideSQL(n))
}

// dropBesideSQL takes away what stands beside a table that has no trigger any more.
func dropBesideSQL(n name) []string {
	return []string{
		fmt.Sprintf("DROP FUNCTION IF EXISTS %s()", captured{name: n}.function()),
		fmt.Sprintf("DROP FUNCTION IF EXISTS %s()", passFunction(n)),
		fmt.Sprintf("DROP FUNCTION IF EXISTS %s()", refuseFunction(n)),
		fmt.Sprintf("DROP SEQUENCE IF EXISTS %s, %s", refusedSequence(n), refusedAtSequence(n)),
		fmt.Sprintf("DROP TABLE IF EXISTS %s", captured{name: n}.log()),
		fmt.Sprintf("DROP TABLE IF EXISTS %s", dirtyTable(n)),
	}
}

// forget deletes the records of a split, and the shared tables with the last of them.
func forget(ctx context.Context, tx pgx.Tx, m dialect.Move, o dialect.RemoveOptions) error {
	for _, t := range sharedTables {
		where, arg := "split = $1", any(m.Split)
		switch {
		case t != ownerTable:
		case !o.Owner:
			continue
		default:
			where, arg = "table_name = ANY($1)", tableNames(m)
		}
		if _, err := tx.Exec(ctx, `DELETE FROM `+t+` WHERE `+where, arg); err != nil {
			return err
		}
	}
	var moves, owners int
	if err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM _strangler_move), (SELECT count(*) FROM _strangler_owner)`).Scan(&moves, &owners); err != nil || moves > 0 {
		return err
	}
	for _, t := range sharedTables {
		if t == ownerTable && owners > 0 {
			continue
		}
		if _, err := tx.Exec(ctx, `DROP TABLE `+t); err != nil {
			return err
		}
	}
	return nil
}
