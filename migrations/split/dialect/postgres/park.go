package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// Indexes are parked by dropping them and recording, in the same transaction, the SQL that
// makes them again. Only those go that SQL can make as they were: one with a comment, in a
// tablespace of its own, marked for CLUSTER or as replica identity stays, and so does one
// that something else depends on: a foreign key that refers to it, a view that groups by it.

// keylessMark is the line of _strangler_parked by which it is known that a table's key has
// no index. Its SQL undoes what else was done to that table.
const keylessMark = prefix + "keyless"

// parkable selects the indexes of a table that may be parked: name, SQL that drops it, SQL
// that makes it again, and its columns if it can be that of the key. What depends on an
// index depends on its constraint, if it has one, which alone depends on the index then.
const parkable = `
	SELECT ic.relname AS name, coalesce(k.conname, '') AS constraint, pg_get_indexdef(i.indexrelid) AS definition,
		coalesce(k.contype = 'p', false) AS is_primary, i.indisunique AS unique,
		CASE WHEN i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
			THEN ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS u(num, pos)
				JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num
				WHERE u.pos <= i.indnkeyatts ORDER BY u.pos) END AS columns
	FROM pg_index i
	JOIN pg_class ic ON ic.oid = i.indexrelid
	LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
	WHERE i.indrelid = $1 AND i.indisvalid AND NOT i.indisexclusion AND NOT i.indisclustered AND NOT i.indisreplident AND ic.reltablespace = 0
		AND coalesce(k.contype, 'p') IN ('p', 'u')
		AND obj_description(i.indexrelid, 'pg_class') IS NULL AND obj_description(k.oid, 'pg_constraint') IS NULL
		AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype <> 'i'
			AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indexrelid OR d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid))
		AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)
	ORDER BY is_primary DESC, ic.relname`

type parkableIndex struct {
	Name       string
	Constraint string // empty: it is none
	Definition string
	IsPrimary  bool
	Unique     bool
	Columns    []string // by which rows can be known; nil: not by this one
}

// drop and make are SQL.
func (i parkableIndex) drop(n name) string {
	if i.Constraint != "" {
		return fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", n.quoted(), quote(i.Constraint))
	}
	return "DROP INDEX " + n.sibling(i.Name)
}

func (i parkableIndex) make(n name) string {
	kind := "UNIQUE"
	switch {
	case i.Constraint == "":
		return i.Definition
	case i.IsPrimary:
		kind = "PRIMARY KEY"
	}
	return fmt.Sprintf("%s; ALTER TABLE %s ADD CONSTRAINT %s %s USING INDEX %s", i.Definition, n.quoted(), quote(i.Constraint), kind, quote(i.Name))
}

// Park takes away the indexes that are not unique and, of a table that is empty, that of
// the key: keeping it up costs a COPY as much as all the rest.
func (w *writer) Park(ctx context.Context, s *schema.Shape) (keyless bool, err error) {
	l, err := w.layout(ctx, s)
	if err != nil {
		return false, err
	}
	keyless, err = w.park(ctx, s, l)
	if err != nil {
		return false, fmt.Errorf("table %s: park its indexes: %w", s.Table.Name, explain(err))
	}
	return keyless, nil
}

func (w *writer) park(ctx context.Context, s *schema.Shape, l *layout) (keyless bool, err error) {
	if _, err := w.tx.Exec(ctx, "LOCK TABLE "+l.quoted()+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return false, err
	}
	rows, err := w.tx.Query(ctx, parkable, l.oid)
	if err != nil {
		return false, err
	}
	indexes, err := pgx.CollectRows(rows, pgx.RowToStructByName[parkableIndex])
	if err != nil {
		return false, err
	}
	var empty bool
	if err := w.tx.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM "+l.quoted()+")").Scan(&empty); err != nil {
		return false, err
	}
	order := objectOf("order", l.Table)
	if empty {
		keyless, err = w.isParked(ctx, s.Table.Name, keylessMark)
	}
	for _, i := range indexes {
		switch {
		case err != nil:
			return false, err
		case i.Name == order:
			if empty {
				err = w.putAway(ctx, s.Table.Name, i.Name, l.orderIndexSQL("IF NOT EXISTS"), i.drop(l.name))
			}
		case !i.Unique:
			err = w.putAway(ctx, s.Table.Name, i.Name, i.make(l.name), i.drop(l.name))
		case empty && !keyless && slices.Equal(i.Columns, s.Names[:s.Keys]):
			keyless = true
			err = w.putAway(ctx, s.Table.Name, i.Name, i.make(l.name), i.drop(l.name))
		}
	}
	if err != nil || !keyless {
		return false, err
	}
	// The capture of a side that is closed logs nothing, and would be asked for every row.
	return true, w.putAway(ctx, s.Table.Name, keylessMark,
		fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", l.quoted(), captureTrigger),
		fmt.Sprintf("ALTER TABLE %s DISABLE TRIGGER %s", l.quoted(), captureTrigger))
}

func (w *writer) isParked(ctx context.Context, table, what string) (there bool, err error) {
	err = w.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM _strangler_parked WHERE split = $1 AND tbl = $2 AND name = $3)`, w.m.Split, table, what).Scan(&there)
	return there, err
}

// putAway records how something is made again, and takes it away.
func (w *writer) putAway(ctx context.Context, table, what, again, away string) error {
	if _, err := w.tx.Exec(ctx, `INSERT INTO _strangler_parked (split, tbl, name, sql) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, w.m.Split, table, what, again); err != nil {
		return err
	}
	_, err := w.tx.Exec(ctx, away)
	return err
}

// buildMemory is what the server may take to sort an index; its own setting is small.
const buildMemory = "256MB"

// Unpark makes what is parked again.
func (w *writer) Unpark(ctx context.Context, s *schema.Shape) error {
	if _, err := w.tx.Exec(ctx, "SAVEPOINT _strangler_unpark"); err != nil {
		return wrapTable(s, explain(err))
	}
	err := unpark(ctx, w.tx, w.m.Split, s.Table.Name)
	if !isCode(err, codeUnique) {
		return err
	}
	if _, undo := w.tx.Exec(ctx, "ROLLBACK TO SAVEPOINT _strangler_unpark"); undo != nil {
		return errors.Join(err, undo)
	}
	l, lerr := w.layout(ctx, s)
	if lerr != nil {
		return errors.Join(err, lerr)
	}
	clash := &dialect.ClashError{Table: s.Table.Name, Err: plain(err)}
	key := l.list("t.", 0, l.keys)
	query := fmt.Sprintf("SELECT %s FROM %s t GROUP BY %s HAVING count(*) > 1 LIMIT 1", key, l.quoted(), key)
	if err := w.each(ctx, l.columns[:l.keys], query, nil, func(r value.Row) error {
		clash.Others = append(clash.Others, value.Key(r))
		return nil
	}); err != nil {
		return wrapTable(s, err)
	}
	return clash
}

func unpark(ctx context.Context, tx pgx.Tx, split, table string) error {
	rows, err := tx.Query(ctx, `DELETE FROM _strangler_parked WHERE split = $1 AND tbl = $2 RETURNING name, sql`, split, table)
	if err != nil {
		return fmt.Errorf("table %s: read what is parked: %w", table, explain(err))
	}
	parked, err := collectPairs(rows)
	if err != nil {
		return fmt.Errorf("table %s: read what is parked: %w", table, explain(err))
	}
	if len(parked) == 0 {
		return nil
	}
	if _, err := parseName(table).relation(ctx, tx.Conn()); errors.Is(err, errNoTable) {
		return nil // and its indexes with it
	} else if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "SET LOCAL maintenance_work_mem = '"+buildMemory+"'"); err != nil {
		return err
	}
	for _, p := range parked {
		if _, err := tx.Exec(ctx, p[1]); err != nil {
			return fmt.Errorf("table %s: make %s again: %w", table, p[0], explain(err))
		}
	}
	return nil
}
