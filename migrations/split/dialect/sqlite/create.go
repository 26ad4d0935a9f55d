package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// CreateTables makes the tables that are not there yet and their indexes. Their triggers
// are recorded as put away, because this side does not lead yet; those that mention
// tables outside of the split stay behind.
func (d *Database) CreateTables(ctx context.Context, m dialect.Move, tables []*schema.Table) error {
	return d.write(ctx, "create the tables", func(tx *sqlx.Tx) error {
		var made []string
		for _, t := range tables {
			there, err := has(ctx, tx, t.Name)
			if err != nil {
				return err
			}
			if there {
				continue
			}
			if err := createTable(ctx, tx, m, t, tables); err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
			made = append(made, t.Name)
		}
		if len(made) == 0 {
			return nil
		}
		b, err := json.Marshal(made)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE `+ctlTable+` SET made = ? WHERE split = ? AND made = '[]'`, string(b), m.Split)
		return err
	})
}

func createTable(ctx context.Context, tx *sqlx.Tx, m dialect.Move, t *schema.Table, group []*schema.Table) error {
	if t.SQL == "" {
		return program.Fail(program.Refused, "make the table in the target yourself and leave create_target out", "the source does not say how it was made")
	}
	if _, err := tx.ExecContext(ctx, withoutOuterKeys(t, group)); err != nil {
		return err
	}
	for _, index := range slices.Concat(t.Uniques, t.Indexes) {
		if index.SQL == "" {
			continue // it belongs to a constraint of the table
		}
		if _, err := tx.ExecContext(ctx, index.SQL); err != nil {
			return fmt.Errorf("index %s: %w", index.Name, err)
		}
	}
	for _, trigger := range t.Triggers {
		if len(trigger.Others) > 0 {
			continue
		}
		if err := park(ctx, tx, m.Split, t.Name, object{Type: "trigger", Name: trigger.Name, SQL: trigger.SQL}); err != nil {
			return fmt.Errorf("trigger %s: %w", trigger.Name, err)
		}
	}
	return nil
}

// withoutOuterKeys is the statement that made the table, without references to tables
// outside of the split.
func withoutOuterKeys(t *schema.Table, group []*schema.Table) string {
	outer := func(parent string) bool {
		return !slices.ContainsFunc(group, func(o *schema.Table) bool { return strings.EqualFold(o.Name, parent) })
	}
	pieces, _ := list(t.SQL, 0)
	if len(pieces) == 0 {
		return t.SQL
	}
	var kept []string
	for _, p := range pieces {
		part, whole := cutReference(t.SQL[p.from:p.to], outer)
		if whole {
			continue
		}
		kept = append(kept, part)
	}
	first, last := pieces[0], pieces[len(pieces)-1]
	return t.SQL[:first.from] + strings.Join(kept, ",") + t.SQL[last.to:]
}
