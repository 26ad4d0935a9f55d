// Package postgres reads all of a PostgreSQL database for a comparison. It writes nothing and
// needs no right but that to read.
package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// How long Dump waits for writers to come to rest, and how long at most.
const (
	quiet   = 500 * time.Millisecond
	patient = 15 * time.Second
)

// Dump reads every table of the database in one snapshot, tables by name and rows by primary
// key, once nobody has written for half a second (or after 15 seconds). A table of another
// schema than the one that the connection uses is named with its schema; a partitioned table
// is one table. It calls table before the rows of each, and holds one row at a time.
//
// Numbers are json.Number, JSON is json.RawMessage, times are time.Time in UTC, bytea is
// []byte, and a type that has no counterpart in JSON is the text that PostgreSQL writes for it.
// A row that a policy hides is an error, and not a row less.
func Dump(ctx context.Context, dsn string, table func(name string, columns []string) error, row func(values []any) error) error {
	conn, err := connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	if err := settle(ctx, conn); err != nil {
		return fmt.Errorf("wait for writers to rest: %w", err)
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	if _, err := tx.Exec(ctx, sameText); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	list, err := tables(ctx, tx)
	if err != nil {
		return fmt.Errorf("list tables: %w", err)
	}
	for _, t := range list {
		if err := t.dump(ctx, tx, table, row); err != nil {
			return fmt.Errorf("read table %s: %w", t.shown, err)
		}
	}
	return nil
}

func connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // values come as text
	return pgx.ConnectConfig(ctx, cfg)
}

// sameText lets values be written the same way whatever the server, the role and the database
// have set. It holds for the transaction only, so a pooler in between is not left with it.
const sameText = `
	SET LOCAL TimeZone = 'UTC';
	SET LOCAL DateStyle = 'ISO, YMD';
	SET LOCAL IntervalStyle = 'iso_8601';
	SET LOCAL bytea_output = 'hex';
	SET LOCAL extra_float_digits = 1;
	SET LOCAL row_security = off;
	SET LOCAL statement_timeout = 0;
	SET LOCAL lock_timeout = '15s'`

// settle waits until no transaction of the database has written for a while. What ends is
// counted for the whole server: others that write there make it wait longer than need be.
func settle(ctx context.Context, conn *pgx.Conn) error {
	last := ""
	for end := time.Now().Add(patient); time.Now().Before(end); {
		var ended string
		var writing bool
		err := conn.QueryRow(ctx, `
			SELECT pg_current_snapshot()::text, EXISTS (
				SELECT FROM pg_locks l
				JOIN pg_stat_activity a USING (pid)
				WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND a.datname = current_database()
			)`).Scan(&ended, &writing)
		if err != nil {
			return err
		}
		if ended == last && !writing {
			return nil
		}
		last = ended
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quiet):
		}
	}
	return nil
}

// A relation is a table, and the columns that give its rows an order.
type relation struct {
	shown, from string
	order       string
}

// tables lists ordinary and partitioned tables of all schemas but the system's. Of a parent
// its own rows are read, as its children are tables of their own; partitions are not.
func tables(ctx context.Context, tx pgx.Tx) ([]relation, error) {
	rows, err := tx.Query(ctx, `
		SELECT
			CASE WHEN n.nspname = current_schema() THEN c.relname ELSE n.nspname || '.' || c.relname END,
			CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || format('%I.%I AS t', n.nspname, c.relname),
			coalesce((
				SELECT string_agg(format('t.%I', a.attname) || CASE WHEN a.attcollation <> 0 THEN ' COLLATE "C"' ELSE '' END, ', ' ORDER BY k.place)
				FROM pg_index i
				CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
				WHERE i.indrelid = c.oid AND i.indisprimary
			), 't::text COLLATE "C"')
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
			AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'`)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r relation, err error) {
		err = row.Scan(&r.shown, &r.from, &r.order)
		return r, err
	})
	slices.SortFunc(list, func(a, b relation) int { return strings.Compare(a.shown, b.shown) })
	return list, err
}

func (t *relation) dump(ctx context.Context, tx pgx.Tx, table func(string, []string) error, row func([]any) error) error {
	rows, err := tx.Query(ctx, "SELECT * FROM "+t.from+" ORDER BY "+t.order)
	if err != nil {
		return err
	}
	defer rows.Close()
	fields := rows.FieldDescriptions()
	columns := make([]string, len(fields))
	for i, f := range fields {
		columns[i] = f.Name
	}
	if err := table(t.shown, columns); err != nil {
		return err
	}
	values := make([]any, len(fields))
	for rows.Next() {
		for i, text := range rows.RawValues() {
			values[i] = valueOf(fields[i].DataTypeOID, text)
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return rows.Err()
}
