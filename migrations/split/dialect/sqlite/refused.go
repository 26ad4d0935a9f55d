package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// A write that the guard refuses is to be counted, so that people learn of applications
// that have not heard of the new owner. SQLite takes everything back that a refused
// statement did, a count in any table included, with one exception: RAISE(FAIL) leaves
// what the statement has done so far. So the guard counts and fails, which is the same as
// to abort when the statement had done nothing before, and that is so when it writes this
// very table: the guard stands before its first row. Where it could be the trigger or the
// cascade of a statement that writes another table, half of that would stay; there the
// guard aborts, and nothing is counted. Nor is anything left of a count whose transaction
// is rolled back. So the count is a lower bound, and no write is refused any less for it.

// makeRefused makes the table that counts, and a line for each table of the move.
func makeRefused(ctx context.Context, tx *sqlx.Tx, m dialect.Move) error {
	_, err := tx.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS `+refusedTable+`(
			split TEXT NOT NULL, tbl TEXT NOT NULL,
			writes INTEGER NOT NULL DEFAULT 0,
			last_at TEXT NOT NULL DEFAULT '',
			PRIMARY KEY (split, tbl)) WITHOUT ROWID`)
	for _, s := range m.Shapes {
		if err == nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO `+refusedTable+`(split, tbl) VALUES (?, ?) ON CONFLICT DO NOTHING`, m.Split, s.Table.Name)
		}
	}
	return err
}

// refuse is the body of a guard: it counts, and refuses with a message. pass says that
// the guard lets some rows through.
func refuse(m dialect.Move, s *schema.Shape, message string, pass bool) string {
	if pass || actedOn(m, s) {
		return "SELECT RAISE(ABORT, " + text(message) + ");"
	}
	mentioned := "EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, " + fmt.Sprint(len(dialect.Prefix)) + ") <> " + text(dialect.Prefix) +
		" AND instr(lower(sql), lower(" + text(s.Table.Name) + ")) > 0)"
	return "UPDATE " + refusedTable + " SET writes = writes + 1, last_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')" +
		" WHERE split = " + text(m.Split) + " AND tbl = " + text(s.Table.Name) + "; " +
		"SELECT CASE WHEN " + mentioned + " THEN RAISE(ABORT, " + text(message) + ") ELSE RAISE(FAIL, " + text(message) + ") END;"
}

// actedOn reports whether a foreign key may change rows of the table when somebody writes
// a table that is not guarded.
func actedOn(m dialect.Move, s *schema.Shape) bool {
	return slices.ContainsFunc(s.Table.ForeignKeys, func(fk schema.ForeignKey) bool {
		return m.Shape(fk.Parent) == nil && (acts(fk.OnDelete) || acts(fk.OnUpdate))
	})
}

func acts(action string) bool { return !slices.Contains([]string{"", "NO ACTION", "RESTRICT"}, action) }

// readRefused reads what was counted.
func readRefused(ctx context.Context, q queryer, split string, s *dialect.State) error {
	if there, err := exists(ctx, q, refusedTable); err != nil || !there {
		return err
	}
	var at string
	if err := q.GetContext(ctx, &s.Refused, `SELECT coalesce(sum(writes), 0) FROM `+refusedTable+` WHERE split = ?`, split); err != nil {
		return err
	}
	if err := q.GetContext(ctx, &at, `SELECT coalesce(max(last_at), '') FROM `+refusedTable+` WHERE split = ?`, split); err != nil || at == "" {
		return err
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return fmt.Errorf("when a write was refused last: %w", err)
	}
	s.RefusedAt = t
	return nil
}
