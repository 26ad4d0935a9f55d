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
	first := make([]string, len(same))
	for i := range same {
		first[i] = "p0." + same[i]
	}
	below := func() error {
		if e.Key.OnDelete != "delete" { // a row that only loses its reference stays for those that refer to it
			return nil
		}
		return w.below(ctx, e.Key.Table, l.quoted()+" p0", strings.Join(first, " AND "), a, e.Gone, 1)
	}
	if !e.Gone {
		if err := below(); err != nil {
			return err
		}
		c := l.captured()
		return w.run(ctx, s, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s",
			c.log(), strings.Join(c.logColumns(""), ", "), l.list("", 0, l.keys), l.quoted(), where), a)
	}
	change := fmt.Sprintf("DELETE FROM %s WHERE %s", l.quoted(), where)
	if e.Key.OnDelete == "nullify" {
		change = fmt.Sprintf("UPDATE %s SET %s WHERE %s", l.quoted(), strings.Join(nulls, ", "), where)
	}
	return w.asApplication(ctx, func() error {
		if err := below(); err != nil {
			return err
		}
		return w.run(ctx, s, change, a)
	})
}

// below does for the rows that refer to others what the source's own cascade does: it
// deletes them or sets their reference to NULL, the deepest first; or it only logs them, if
// the first of those others is not gone. Those others are the rows of from for which where
// is true.
func (w *writer) below(ctx context.Context, table, from, where string, a args, gone bool, depth int) error {
	for _, fk := range w.m.Below(table) {
		s := w.m.Shape(fk.Table)
		l, err := w.layout(ctx, s)
		if err != nil {
			return err
		}
		child, parent := fmt.Sprintf("p%d", depth), fmt.Sprintf("p%d", depth-1)
		on, nulls := make([]string, len(fk.Columns)), make([]string, len(fk.Columns))
		for i, c := range fk.Columns {
			on[i], nulls[i] = child+"."+quote(c)+" = "+parent+"."+quote(fk.Parents[i]), quote(c)+" = NULL"
		}
		joined := from + " JOIN " + l.quoted() + " " + child + " ON " + strings.Join(on, " AND ")
		if fk.OnDelete == dialect.Cascades && depth < dialect.DeepestCascade {
			if err := w.below(ctx, fk.Table, joined, where, a, gone, depth+1); err != nil {
				return err
			}
		}
		keys := fmt.Sprintf("SELECT %s FROM %s WHERE %s", l.list(child+".", 0, l.keys), joined, where)
		these := fmt.Sprintf(" WHERE (%s) IN (%s)", l.list("", 0, l.keys), keys)
		statement := "DELETE FROM " + l.quoted() + these
		switch c := l.captured(); {
		case !gone:
			statement = fmt.Sprintf("INSERT INTO %s (%s) %s", c.log(), strings.Join(c.logColumns(""), ", "), keys)
		case fk.OnDelete == dialect.SetsNull:
			statement = "UPDATE " + l.quoted() + " SET " + strings.Join(nulls, ", ") + these
		}
		if err := w.run(ctx, s, statement, a); err != nil {
			return err
		}
	}
	return nil
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
