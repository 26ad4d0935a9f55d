package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

var _ dialect.LooseTx = (*writer)(nil)

// Cascade carries over that a row is gone which rows of this side refer to. It changes
// them as an application would, so that the change is logged.
func (w *writer) Cascade(ctx context.Context, e dialect.LooseEntry) error {
	s := w.m.Shape(e.Key.Table)
	if s == nil {
		return nil
	}
	l, err := w.layout(ctx, s)
	if err != nil {
		return err
	}
	var a args
	same, nulls := make([]string, len(e.Key.Columns)), make([]string, len(e.Key.Columns))
	for i, c := range e.Key.Columns {
		same[i], nulls[i] = quote(c)+" = "+a.bind(e.Parent[i]), quote(c)+" = NULL"
	}
	where := strings.Join(same, " AND ")
	if !e.Gone {
		c := l.captured()
		return w.run(ctx, s, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s",
			c.log(), strings.Join(c.logColumns(""), ", "), l.list("", 0, l.keys), l.quoted(), where), a)
	}
	change := fmt.Sprintf("DELETE FROM %s WHERE %s", l.quoted(), where)
	if e.Key.OnDelete == "nullify" {
		change = fmt.Sprintf("UPDATE %s SET %s WHERE %s", l.quoted(), strings.Join(nulls, ", "), where)
	}
	return w.asApplication(ctx, func() error { return w.run(ctx, s, change, a) })
}

// asApplication lets triggers and foreign keys answer for a while.
func (w *writer) asApplication(ctx context.Context, do func() error) error {
	if _, err := w.tx.Exec(ctx, `SET LOCAL strangler.applying = ''; SET LOCAL session_replication_role = 'origin'`); err != nil {
		return explain(err)
	}
	if err := do(); err != nil {
		return err
	}
	_, err := w.tx.Exec(ctx, `SET LOCAL strangler.applying = '1'; SET LOCAL session_replication_role = 'replica'`)
	return explain(err)
}

// PruneLoose fails: a source of PostgreSQL logs no such rows, see cascadeNotes.
func (w *writer) PruneLoose(context.Context, dialect.LooseLog) error {
	return errors.New("PostgreSQL logs no rows that are gone")
}

// cascadeNotes says what changes for an application when a source of PostgreSQL follows:
// its cascades meet the seal.
func cascadeNotes(cat *schema.Catalog) []string {
	var notes []string
	for _, t := range cat.Tables {
		for _, fk := range t.ForeignKeys {
			if cat.Table(fk.Parent) == nil && (fk.OnDelete == "CASCADE" || fk.OnDelete == "SET NULL") {
				notes = append(notes, fmt.Sprintf("while the target owns %s, deleting a row of %s that it refers to by %s is refused by the source: delete the rows that refer to it through their owner first",
					t.Name, fk.Parent, strings.Join(fk.Columns, ", ")))
			}
		}
	}
	return notes
}
