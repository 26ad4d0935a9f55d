package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

var (
	_ dialect.LooseReader = (*snapshot)(nil)
	_ dialect.LooseReader = (*writer)(nil)
	_ dialect.LooseTx     = (*writer)(nil)
)

// Cascade carries over that a row is gone which rows of this side refer to. It changes
// them as an application would, so that the change is logged.
func (w *writer) Cascade(ctx context.Context, e dialect.LooseEntry, limit int) (int, error) {
	s := w.m.Shape(e.Key.Table)
	if s == nil {
		return 0, nil
	}
	l, err := w.layout(ctx, s)
	if err != nil {
		return 0, err
	}
	var a args
	var same, left, nulls []string
	for i, c := range e.Key.Columns {
		same = append(same, quote(c)+" = "+a.bind(e.Parent[i]))
	}
	for _, c := range e.Key.Nulled() {
		left, nulls = append(left, quote(c)+" IS NOT NULL"), append(nulls, quote(c)+" = NULL")
	}
	refer := strings.Join(same, " AND ")
	if !e.Gone {
		first := fmt.Sprintf("(%s) IN (SELECT %s FROM %s WHERE %s)", l.list("p0.", 0, l.keys), l.list("", 0, l.keys), l.quoted(), refer)
		if err := w.belowDeleted(ctx, e, l, first, a); err != nil {
			return 0, err
		}
		c := l.captured()
		return 0, w.run(ctx, s, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s",
			c.log(), strings.Join(c.logColumns(""), ", "), l.list("", 0, l.keys), l.quoted(), refer), a)
	}
	if e.Key.OnDelete == "nullify" {
		refer += " AND (" + strings.Join(left, " OR ") + ")"
	}
	these := fmt.Sprintf("(%%s) IN (SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %d)", l.list("", 0, l.keys), l.quoted(), refer, l.list("", 0, l.keys), limit)
	change := "DELETE FROM " + l.quoted()
	if e.Key.OnDelete == "nullify" {
		change = fmt.Sprintf("UPDATE %s SET %s", l.quoted(), strings.Join(nulls, ", "))
	}
	query := fmt.Sprintf("WITH changed AS (%s WHERE %s RETURNING 1) SELECT count(*) FROM changed", change, fmt.Sprintf(these, l.list("", 0, l.keys)))
	var n int64
	err = w.asApplication(ctx, func() error {
		if err := w.belowDeleted(ctx, e, l, fmt.Sprintf(these, l.list("p0.", 0, l.keys)), a); err != nil {
			return err
		}
		return wrapTable(s, w.each(ctx, []field{{Name: "n", kind: value.Int}}, query, a, func(row value.Row) error {
			n = row[0].Int()
			return nil
		}))
	})
	return int(n), err
}

// belowDeleted is below for rows that are deleted: one that only loses its reference stays
// for those that refer to it.
func (w *writer) belowDeleted(ctx context.Context, e dialect.LooseEntry, l *layout, first string, a args) error {
	if e.Key.OnDelete != "delete" {
		return nil
	}
	return w.below(ctx, e.Key.Table, l.quoted()+" p0", first, a, e.Gone, 1)
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
		var on, nulls []string
		for i, c := range fk.Columns {
			on = append(on, child+"."+quote(c)+" = "+parent+"."+quote(fk.Parents[i]))
		}
		for _, c := range fk.Nulled() {
			nulls = append(nulls, quote(c)+" = NULL")
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

// asApplication lets triggers and foreign keys answer for a while. Where applications write
// it waits for their rows more shortly than the server lets two wait for each other before
// it ends one of them, which would be theirs.
func (w *writer) asApplication(ctx context.Context, do func() error) error {
	patience := writerPatience
	if w.m.Role == dialect.Target {
		patience = lockAttempt
	}
	if _, err := w.tx.Exec(ctx, fmt.Sprintf(`SET LOCAL strangler.applying = ''; SET LOCAL session_replication_role = 'origin'; SET LOCAL lock_timeout = %d`, patience.Milliseconds())); err != nil {
		return explain(err)
	}
	if err := do(); err != nil {
		return err
	}
	_, err := w.tx.Exec(ctx, fmt.Sprintf(`SET LOCAL strangler.applying = '1'; SET LOCAL session_replication_role = 'replica'; SET LOCAL lock_timeout = %d`, writerPatience.Milliseconds()))
	return explain(err)
}

// goneLines are the lines of each log of rows that are gone, by its place.
type goneLines map[string][]int64

// Loose reads which rows are gone.
func (s *snapshot) Loose(ctx context.Context, limit int) (dialect.LooseLog, error) {
	return s.loose(ctx, s.m, limit)
}

// Loose reads which rows are gone.
func (w *writer) Loose(ctx context.Context, limit int) (dialect.LooseLog, error) {
	return w.loose(ctx, w.m, limit)
}

func (r reader) loose(ctx context.Context, m dialect.Move, limit int) (dialect.LooseLog, error) {
	var log dialect.LooseLog
	all, err := watches(ctx, r.tx.Conn(), r.d, m)
	if err != nil {
		return log, err
	}
	lines := goneLines{}
	for _, w := range all {
		switch there, err := w.watching(ctx, r.tx); {
		case err != nil:
			return log, explain(err)
		case !there:
			log.Unwatched = true
			continue
		}
		if err := r.goneLines(ctx, w, limit-len(log.Entries), &log, lines); err != nil {
			return log, fmt.Errorf("read which rows of table %s are gone: %w", w.key.Parent, err)
		}
	}
	if len(log.Entries) > 0 {
		log.Handle = lines
	}
	return log, nil
}

// goneLines reads the log of one watch.
func (r reader) goneLines(ctx context.Context, w watch, limit int, log *dialect.LooseLog, lines goneLines) error {
	fields := []field{{Name: "seq", kind: value.Int}, {Name: "gone", kind: value.Literal}}
	same := make([]string, len(w.types))
	for i, typ := range w.types {
		fields = append(fields, field{Name: w.key.Parents[i], kind: kindOf(baseOf(typ))})
		same[i] = fmt.Sprintf("p.%s = g.k%d", quote(w.key.Parents[i]), i+1)
	}
	query := fmt.Sprintf("SELECT seq, NOT EXISTS (SELECT FROM %s p WHERE %s), %s FROM %s g ORDER BY seq LIMIT %d",
		w.parent.name().quoted(), strings.Join(same, " AND "), strings.Join(w.logColumns(""), ", "), w.place(), max(0, limit))
	return r.each(ctx, fields, query, nil, func(row value.Row) error {
		lines[w.place()] = append(lines[w.place()], row[0].Int())
		log.Entries = append(log.Entries, dialect.LooseEntry{Key: w.key, Parent: append(value.Key(nil), row[2:]...), Gone: row[1].Text() == "t"})
		return nil
	})
}

// PruneLoose deletes the lines that were read and no other: the number of one that is
// committed late may be less.
func (w *writer) PruneLoose(ctx context.Context, l dialect.LooseLog) error {
	lines, ok := l.Handle.(goneLines)
	if !ok {
		return nil
	}
	for place, seqs := range lines {
		if _, err := w.tx.Exec(ctx, "DELETE FROM "+place+" WHERE seq = ANY($1::bigint[])", seqs); err != nil {
			return fmt.Errorf("prune which rows are gone: %w", explain(err))
		}
	}
	return nil
}
