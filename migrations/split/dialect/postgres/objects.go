package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// shared is what all splits of a database have in common. Applications may read who
// owns a table; the rest is the engine's.
var shared = []string{
	`CREATE TABLE IF NOT EXISTS _strangler_owner (
		table_name text PRIMARY KEY,
		owner text NOT NULL CHECK (owner IN ('source', 'target')),
		epoch bigint NOT NULL,
		decided_at timestamptz NOT NULL)`,
	`GRANT SELECT ON _strangler_owner TO PUBLIC`,
	`CREATE TABLE IF NOT EXISTS _strangler_move (
		split text PRIMARY KEY, move text NOT NULL, role text NOT NULL, claim bigint NOT NULL, leads boolean NOT NULL, holder text NOT NULL DEFAULT '')`,
	`CREATE TABLE IF NOT EXISTS _strangler_captured (
		split text, tbl text, rel oid NOT NULL, columns text NOT NULL, capture text NOT NULL, PRIMARY KEY (split, tbl))`,
	makeCreated,
	makeProgress,
	makeParked,
}

const (
	makeCreated  = `CREATE TABLE IF NOT EXISTS _strangler_created (split text, tbl text, PRIMARY KEY (split, tbl))`
	makeProgress = `CREATE TABLE IF NOT EXISTS _strangler_progress (
		split text, tbl text, cursor bytea, copied boolean NOT NULL, copied_rows bigint NOT NULL, verified bytea,
		passes bigint NOT NULL, passed_at timestamptz, repaired bigint NOT NULL, PRIMARY KEY (split, tbl))`
	makeParked = `CREATE TABLE IF NOT EXISTS _strangler_parked (split text, tbl text, name text, sql text NOT NULL, PRIMARY KEY (split, tbl, name))`
)

// ownerTable is the one that outlives a move: it says who owns a table.
const ownerTable = prefix + "owner"

// sharedTables are the same, in the order in which they go.
var sharedTables = []string{
	"_strangler_parked", "_strangler_progress", "_strangler_captured", "_strangler_created", "_strangler_move", ownerTable,
}

// Prepare makes the engine's tables for a move and records it. The triggers come with
// Lead and Follow: a capture that was lost must not come back unnoticed. So does what
// stands beside a table that is made later.
func (d *DB) Prepare(ctx context.Context, m dialect.Move) error {
	layouts, err := d.layoutsOf(ctx, m)
	if err != nil {
		return err
	}
	if err := d.noWraparound(ctx, layouts); err != nil {
		return err
	}
	if err := d.orderIndexes(ctx, layouts); err != nil {
		return err
	}
	return d.withLocks(ctx, "prepare split "+m.Split, func(tx pgx.Tx) error {
		if err := serialize(ctx, tx); err != nil {
			return err
		}
		if err := execAll(ctx, tx, shared); err != nil {
			return err
		}
		if err := record(ctx, tx, m); err != nil {
			return err
		}
		for _, l := range layouts {
			if err := execAll(ctx, tx, besideSQL(l)); err != nil {
				return fmt.Errorf("table %s: %w", l.Table, err)
			}
		}
		return nil
	})
}

// besideSQL makes what stands beside a table.
func besideSQL(l *layout) []string {
	return slices.Concat(l.captured().tableSQL(), dirtySQL(l), refuseSQL(l.name))
}

// record takes the move down, unless there is another one.
func record(ctx context.Context, tx pgx.Tx, m dialect.Move) error {
	var move string
	switch err := tx.QueryRow(ctx, `SELECT move FROM _strangler_move WHERE split = $1`, m.Split).Scan(&move); {
	case errors.Is(err, pgx.ErrNoRows):
		if err := addHolder(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO _strangler_move (split, move, role, claim, leads, holder) VALUES ($1, $2, $3, $4, $5, $6)`,
			m.Split, m.ID, m.Role, m.Claim, m.Role == dialect.Source, m.Holder)
		return err
	case err != nil:
		return err
	case move != m.ID:
		return fmt.Errorf("split %s: %w (%s, not %s): abort or complete that one first", m.Split, dialect.ErrOtherMove, move, m.ID)
	}
	return nil
}

// serialize keeps two engines from making the same objects at the same time, which
// IF NOT EXISTS does not.
func serialize(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('_strangler_'))`)
	return err
}

// layoutsOf describes the shapes of a move whose tables are there.
func (d *DB) layoutsOf(ctx context.Context, m dialect.Move) ([]*layout, error) {
	var all []*layout
	err := d.with(ctx, func(c *pgx.Conn) error {
		for _, s := range m.Shapes {
			switch l, err := d.layout(ctx, c, s); {
			case err == nil:
				all = append(all, l)
			case !errors.Is(err, errNoTable):
				return err
			}
		}
		return nil
	})
	return all, err
}

// noWraparound refuses to begin while a vacuum that must not be interrupted holds one
// of the tables: unlike an ordinary one it does not step aside for a lock.
func (d *DB) noWraparound(ctx context.Context, layouts []*layout) error {
	oids := make([]uint32, len(layouts))
	for i, l := range layouts {
		oids[i] = l.oid
	}
	var table string
	err := d.pool.QueryRow(ctx, `
		SELECT l.relation::regclass::text
		FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.relation = ANY($1::oid[]) AND l.granted AND a.backend_type = 'autovacuum worker' AND a.query LIKE '%(to prevent wraparound)%'
		LIMIT 1`, oids).Scan(&table)
	switch {
	case err == nil:
		return fmt.Errorf("table %s: a vacuum that prevents wraparound holds it and must not be interrupted: wait until it has ended (pg_stat_progress_vacuum shows it): %w", table, dialect.ErrBusy)
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	}
	return err
}

// orderIndexes makes the indexes that serve keys in the order of their bytes, without
// stopping writers, which is why it is no part of a transaction.
func (d *DB) orderIndexes(ctx context.Context, layouts []*layout) error {
	for _, l := range layouts {
		if !l.needsIndex() {
			continue
		}
		if err := d.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return makeOrderIndex(ctx, c.Conn(), l) }); err != nil {
			return fmt.Errorf("table %s: index its key by bytes: %w", l.Table, explain(err))
		}
	}
	return nil
}

func makeOrderIndex(ctx context.Context, c *pgx.Conn, l *layout) error {
	var valid bool
	err := c.QueryRow(ctx, `SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass($1)`, l.orderIndex()).Scan(&valid)
	switch {
	case err == nil && valid:
		return nil
	case err == nil: // what an interrupted attempt leaves behind
		if _, err := c.Exec(ctx, `DROP INDEX CONCURRENTLY `+l.orderIndex()); err != nil {
			return err
		}
	case !errors.Is(err, pgx.ErrNoRows):
		return err
	}
	_, err = c.Exec(ctx, l.orderIndexSQL("CONCURRENTLY"))
	return err
}

func (l *layout) orderIndexSQL(how string) string {
	return fmt.Sprintf(`CREATE INDEX %s %s ON %s (%s)`, how, quote(objectOf("order", l.Table)), l.quoted(), l.order("", ""))
}

func (l *layout) orderIndex() string { return l.sibling(objectOf("order", l.Table)) }

// Claim makes claim the current one. It waits for transactions of the one before.
func (d *DB) Claim(ctx context.Context, split string, claim int64, holder string) error {
	return d.with(ctx, func(c *pgx.Conn) error {
		if err := addHolder(ctx, c); err != nil {
			return err
		}
		tag, err := c.Exec(ctx, `UPDATE _strangler_move SET claim = $2, holder = $3 WHERE split = $1 AND claim < $2`, split, claim, holder)
		if err == nil && tag.RowsAffected() == 0 {
			return fmt.Errorf("split %s: %w", split, dialect.ErrClaimLost)
		}
		return err
	})
}

// hasHolder finds the column that says who claims; an earlier program made none.
const hasHolder = `SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = '_strangler_move'::regclass AND attname = 'holder' AND NOT attisdropped)`

func addHolder(ctx context.Context, c interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
},
) error {
	var there bool
	err := c.QueryRow(ctx, hasHolder).Scan(&there)
	if err == nil && !there {
		_, err = c.Exec(ctx, `ALTER TABLE _strangler_move ADD COLUMN IF NOT EXISTS holder text NOT NULL DEFAULT ''`)
	}
	return err
}

// State reads what is recorded about a split.
func (d *DB) State(ctx context.Context, split string) (dialect.State, error) {
	st := dialect.State{Record: dialect.Record{Owner: dialect.Source}, Tables: map[string]dialect.Progress{}}
	err := d.with(ctx, func(c *pgx.Conn) error {
		return inTx(ctx, c, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			var there bool
			if err := tx.QueryRow(ctx, `SELECT to_regclass('_strangler_move') IS NOT NULL`).Scan(&there); err != nil || !there {
				return err
			}
			return readState(ctx, tx, split, &st)
		})
	})
	return st, err
}

func readState(ctx context.Context, tx pgx.Tx, split string, st *dialect.State) error {
	holder := `''`
	var there bool
	if err := tx.QueryRow(ctx, hasHolder).Scan(&there); err != nil {
		return err
	} else if there {
		holder = "holder"
	}
	err := tx.QueryRow(ctx, `SELECT move, role, claim, leads, `+holder+` FROM _strangler_move WHERE split = $1`, split).Scan(&st.Move, &st.Role, &st.Claim, &st.Leads, &st.Holder)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	err = tx.QueryRow(ctx, `
		SELECT o.owner, o.epoch
		FROM _strangler_owner o JOIN _strangler_captured c ON c.tbl = o.table_name
		WHERE c.split = $1
		ORDER BY o.epoch DESC
		LIMIT 1`, split).Scan(&st.Record.Owner, &st.Record.Epoch)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM _strangler_captured WHERE split = $1)`, split).Scan(&st.Installed); err != nil {
		return err
	}
	if err := readCreated(ctx, tx, split, st); err != nil {
		return err
	}
	if err := readRefused(ctx, tx, split, st); err != nil {
		return err
	}
	if st.Others, err = otherSplits(ctx, tx, split); err != nil {
		return err
	}
	return readProgress(ctx, tx, split, st.Tables)
}

func readCreated(ctx context.Context, tx pgx.Tx, split string, st *dialect.State) error {
	if there, err := thereIs(ctx, tx, "_strangler_created"); err != nil || !there { // who writes it will say so
		return err
	}
	rows, err := tx.Query(ctx, `SELECT tbl FROM _strangler_created WHERE split = $1 ORDER BY tbl`, split)
	if err != nil {
		return err
	}
	st.Created, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return err
}
