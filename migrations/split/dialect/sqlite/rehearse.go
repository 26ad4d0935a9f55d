package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// Rehearse leads for the length of a transaction that is rolled back, and sees whether a
// write of an application would get through and be logged.
func (d *Database) Rehearse(ctx context.Context, m dialect.Move) (err error) {
	t, err := d.begin(ctx, m, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Rollback()) }()
	if err := t.Lead(ctx, dialect.Record{Owner: m.Role, Epoch: 1}); err != nil {
		return err
	}
	if _, err := t.tx.ExecContext(ctx, `UPDATE `+ctlTable+` SET applying = 0 WHERE split = ?`, m.Split); err != nil {
		return d.explain(err, "rehearse")
	}
	for _, s := range m.Shapes {
		if err := t.rehearse(ctx, s); err != nil {
			return fmt.Errorf("rehearse a write to table %s in %s: %w", s.Table.Name, d.path, err)
		}
	}
	return nil
}

// rehearse deletes a row, if there is one, as an application would, and looks for its
// key in the log. A row that others refer to counts, too: no foreign key is enforced here.
func (t *Tx) rehearse(ctx context.Context, s *schema.Shape) error {
	before, err := t.Pending(ctx)
	if err != nil {
		return err
	}
	one := columns(s.Key(), ", ", func(k string) string { return k })
	r, err := t.tx.ExecContext(ctx, `DELETE FROM `+quote(s.Table.Name)+` WHERE (`+one+`) IN (SELECT `+one+` FROM `+quote(s.Table.Name)+` LIMIT 1)`)
	if err != nil {
		return t.db.explain(err, "delete a row")
	}
	deleted, err := r.RowsAffected()
	if err != nil {
		return err
	}
	after, err := t.Pending(ctx)
	if err == nil && after-before < deleted {
		return program.Fail(program.Refused, "see that no trigger of the table is in the way", "the deleted row is not in the change log")
	}
	return err
}
