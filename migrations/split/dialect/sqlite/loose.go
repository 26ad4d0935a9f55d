package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

var (
	_ dialect.LooseReader = (*Snapshot)(nil)
	_ dialect.LooseReader = (*Tx)(nil)
	_ dialect.LooseTx     = (*Tx)(nil)
)

// looseTable holds rows of other tables that are gone and that the split refers to.
func looseTable(split string) string { return dialect.Prefix + "loose_" + split }

// carried lists the loose keys from a table of the move whose rows go with what they
// refer to; an empty table means all.
func carried(m dialect.Move, table string) []dialect.LooseKey {
	return slices.DeleteFunc(m.Carried(), func(k dialect.LooseKey) bool { return table != "" && k.Table != table })
}

// looseTriggers log the rows of a parent that go away. REPLACE deletes without a delete
// trigger, so what an insert or update may displace is logged before it.
func looseTriggers(ctx context.Context, q queryer, m dialect.Move) ([]string, error) {
	if m.Role != dialect.Source {
		return nil, nil
	}
	var statements []string
	for i, k := range carried(m, "") {
		parent := &schema.Table{Name: k.Parent}
		if there, err := has(ctx, q, k.Parent); err != nil || !there {
			return nil, err
		}
		if _, err := readColumns(ctx, q, parent); err != nil {
			return nil, err
		}
		var all []object
		if err := q.SelectContext(ctx, &all, `SELECT type, name, tbl_name, coalesce(sql, '') AS sql FROM sqlite_master WHERE type = 'index'`); err != nil {
			return nil, err
		}
		if err := readIndexes(ctx, q, parent, all); err != nil {
			return nil, err
		}
		s := &schema.Shape{Table: parent, Names: k.Parents, Keys: len(k.Parents)}
		c := capture{split: m.Split, shape: s, table: quote(parent.Name), label: k.From() + ">" + k.To()}
		c.into = "INSERT INTO " + quote(looseTable(m.Split)) + "(key, " + quoteAll("", logColumns(s.Keys)) + ") "
		n := fmt.Sprint("l", i)
		statements = append(
			statements,
			c.trigger(n+"d", "AFTER DELETE", "", c.logged("OLD")),
			c.trigger(n+"u", "AFTER UPDATE"+c.setting(s.Key()), c.moved(), c.logged("OLD")),
			c.trigger(n+"i", "BEFORE INSERT", "", c.displaced("", true)),
			c.trigger(n+"b", "BEFORE UPDATE"+c.setting(c.unique()), c.touched(), c.displaced(" AND NOT ("+c.same("OLD")+")", true)),
		)
	}
	return statements, nil
}

// makeLoose makes the table that the triggers write.
func makeLoose(m dialect.Move) string {
	n := 1
	for _, k := range m.Loose {
		n = max(n, len(k.Parents))
	}
	return `CREATE TABLE IF NOT EXISTS ` + quote(looseTable(m.Split)) + `(seq INTEGER PRIMARY KEY, key TEXT NOT NULL, ` + quoteAll("", logColumns(n)) + `)`
}

// gone is true of a row of the table whose reference leads nowhere: then it is the
// database's own cascade that changes it.
func gone(k schema.ForeignKey) string {
	var set, on []string
	for i, c := range k.Columns {
		set = append(set, "OLD."+quote(c)+" IS NOT NULL")
		on = append(on, quote(k.Parents[i])+" = OLD."+quote(c))
	}
	return "(" + strings.Join(set, " AND ") + " AND NOT EXISTS (SELECT 1 FROM " + quote(k.Parent) + " WHERE " + strings.Join(on, " AND ") + "))"
}

// cascades is true when a change of the table is a cascade that the guard lets pass: one
// from outside of the split, or one further down, for a row of the split can only be gone
// because a cascade passed the guard of its own table.
func cascades(m dialect.Move, s *schema.Shape, event string) string {
	if m.Role != dialect.Source {
		return ""
	}
	var deletes, nullifies []schema.ForeignKey
	for _, k := range carried(m, s.Table.Name) {
		if k.OnDelete == "delete" {
			deletes = append(deletes, k.ForeignKey)
		} else {
			nullifies = append(nullifies, k.ForeignKey)
		}
	}
	for _, fk := range m.Inner {
		switch {
		case fk.Table != s.Table.Name || !reached(m, fk.Parent, nil):
		case fk.OnDelete == dialect.Cascades:
			deletes = append(deletes, fk)
		case fk.OnDelete == dialect.SetsNull:
			nullifies = append(nullifies, fk)
		}
	}
	var parts []string
	switch event {
	case "DELETE":
		for _, fk := range deletes {
			parts = append(parts, gone(fk))
		}
	case "UPDATE":
		for _, fk := range nullifies {
			parts = append(parts, "("+gone(fk)+" AND "+onlyNullified(fk, s)+")")
		}
	}
	return strings.Join(parts, " OR ")
}

// reached reports whether a cascade from outside of the split can delete rows of a table.
func reached(m dialect.Move, table string, seen []string) bool {
	for _, k := range carried(m, "") {
		if strings.EqualFold(k.Table, table) && k.OnDelete == "delete" {
			return true
		}
	}
	if slices.Contains(seen, table) {
		return false
	}
	return slices.ContainsFunc(m.Inner, func(fk schema.ForeignKey) bool {
		return strings.EqualFold(fk.Table, table) && fk.OnDelete == dialect.Cascades && reached(m, fk.Parent, append(seen, table))
	})
}

// onlyNullified is true of an update that sets a reference to NULL and changes nothing else.
func onlyNullified(fk schema.ForeignKey, s *schema.Shape) string {
	nulls := columns(fk.Columns, " AND ", func(c string) string { return "NEW." + c + " IS NULL" })
	var rest []string
	for _, c := range s.Table.Columns {
		if !slices.Contains(fk.Columns, c.Name) && !c.Computed() {
			rest = append(rest, c.Name)
		}
	}
	return nulls + columns(rest, "", func(c string) string { return " AND NEW." + c + " IS OLD." + c })
}

// cascaded logs the rows of the table that a cascade changes while it follows: if the
// source leads again before the target has done the same, they are brought over.
func cascaded(m dialect.Move, s *schema.Shape) []string {
	c := captureOf(m.Split, s)
	applying := applyingIn(m.Split) + " IS NOT 1"
	var all []string
	for _, event := range []string{"UPDATE", "DELETE"} {
		if cascades(m, s, event) != "" {
			all = append(all, c.trigger("c"+event[:1], "AFTER "+event, applying, c.logged("OLD")))
		}
	}
	return all
}

// Loose reads which rows are gone.
func (s *Snapshot) Loose(ctx context.Context, limit int) (dialect.LooseLog, error) {
	log, err := loose(ctx, s.tx, s.move, limit)
	return log, s.db.explain(err, "read which rows are gone")
}

// Loose reads which rows are gone.
func (t *Tx) Loose(ctx context.Context, limit int) (dialect.LooseLog, error) {
	log, err := loose(ctx, t.tx, t.move, limit)
	return log, t.db.explain(err, "read which rows are gone")
}

func loose(ctx context.Context, tx *sqlx.Tx, m dialect.Move, limit int) (dialect.LooseLog, error) {
	var log dialect.LooseLog
	if len(carried(m, "")) == 0 {
		return log, nil
	}
	if there, err := exists(ctx, tx, looseTable(m.Split)); err != nil || !there {
		return log, err
	}
	width := 1
	for _, k := range m.Loose {
		width = max(width, len(k.Parents))
	}
	rows, err := tx.QueryxContext(ctx, `SELECT seq, key, `+quoteAll("", logColumns(width))+` FROM `+quote(looseTable(m.Split))+` ORDER BY seq LIMIT ?`, limit)
	if err != nil {
		return log, err
	}
	defer rows.Close()
	scan := newScanner(2 + width)
	for rows.Next() {
		if err := rows.Scan(scan.into...); err != nil {
			return log, err
		}
		row, err := scan.row()
		if err != nil {
			return log, err
		}
		log.Handle, log.Acted = row[0].Int(), true
		for _, k := range carried(m, "") {
			if k.From()+">"+k.To() == row[1].Text() {
				log.Entries = append(log.Entries, dialect.LooseEntry{Key: k, Parent: value.Key(row[2 : 2+len(k.Parents)])})
			}
		}
	}
	if err := rows.Err(); err != nil {
		return log, err
	}
	return log, lookForParents(ctx, tx, log)
}

func lookForParents(ctx context.Context, tx *sqlx.Tx, log dialect.LooseLog) error {
	for i := range log.Entries {
		e := &log.Entries[i]
		var n int
		err := tx.GetContext(ctx, &n, `SELECT count(*) FROM `+quote(e.Key.Parent)+` WHERE `+columns(e.Key.Parents, " AND ", func(c string) string { return c + " = ?" }), arguments(e.Parent)...)
		if err != nil {
			return fmt.Errorf("look into table %s: %w", e.Key.Parent, err)
		}
		e.Gone = n == 0
	}
	return nil
}

// Watch logs what rows refer to although it is not there. That a trigger is gone is for
// Captured to find.
func (t *Tx) Watch(ctx context.Context) error {
	there, err := exists(ctx, t.tx, looseTable(t.move.Split))
	if err != nil || !there {
		return t.db.explain(err, "look for rows that refer in vain")
	}
	for _, k := range carried(t.move, "") {
		if !k.Declared() {
			continue // who knows since when they do
		}
		var set, same []string
		for i, c := range k.Columns {
			set = append(set, "t."+quote(c)+" IS NOT NULL")
			same = append(same, "p."+quote(k.Parents[i])+" = t."+quote(c))
		}
		_, err := t.tx.ExecContext(ctx, `INSERT INTO `+quote(looseTable(t.move.Split))+`(key, `+quoteAll("", logColumns(len(k.Columns)))+`) SELECT DISTINCT `+text(k.From()+">"+k.To())+`, `+quoteAll("t.", k.Columns)+
			` FROM `+quote(k.Table)+` AS t WHERE `+strings.Join(set, " AND ")+` AND NOT EXISTS (SELECT 1 FROM `+quote(k.Parent)+` AS p WHERE `+strings.Join(same, " AND ")+`)`)
		if err != nil {
			return t.db.explain(err, "table "+k.Table+": look for rows that refer in vain")
		}
	}
	return nil
}

// Cascade carries one of them over.
func (t *Tx) Cascade(ctx context.Context, e dialect.LooseEntry, limit int) (int, error) {
	s := t.move.Shape(e.Key.Table)
	if s == nil {
		return 0, nil
	}
	n, err := t.cascade(ctx, e, s, limit)
	return n, t.db.explain(err, "table "+e.Key.Table+": carry over that a row of "+e.Key.Parent+" is gone")
}

func (t *Tx) cascade(ctx context.Context, e dialect.LooseEntry, s *schema.Shape, limit int) (int, error) {
	table, key := quote(e.Key.Table), quoteAll("", s.Key())
	refer := columns(e.Key.Columns, " AND ", func(c string) string { return c + " = ?" })
	if e.Gone && e.Key.OnDelete == "nullify" {
		refer += " AND (" + columns(e.Key.Nulled(), " OR ", func(c string) string { return c + " IS NOT NULL" }) + ")"
	}
	some := "SELECT " + key + " FROM " + table + " WHERE " + refer
	if e.Gone {
		some += fmt.Sprintf(" ORDER BY %s LIMIT %d", key, limit)
	}
	if e.Key.OnDelete == "delete" { // a row that only loses its reference stays for those that refer to it
		first := "(" + quoteAll("p0.", s.Key()) + ") IN (" + some + ")"
		if err := t.below(ctx, e.Key.Table, table+" AS p0", first, arguments(e.Parent), e.Gone, 1); err != nil {
			return 0, err
		}
	}
	these := ` WHERE (` + key + `) IN (` + some + `)`
	statement := `DELETE FROM ` + table + these
	switch {
	case !e.Gone:
		statement = `INSERT INTO ` + quote(logTable(t.move.Split)) + `(tbl, ` + quoteAll("", logColumns(s.Keys)) + `) SELECT ` + text(s.Table.Name) + `, ` + key + ` FROM ` + table + ` WHERE ` + refer
	case e.Key.OnDelete == "nullify":
		statement = `UPDATE ` + table + ` SET ` + columns(e.Key.Nulled(), ", ", func(c string) string { return c + " = NULL" }) + these
	}
	r, err := t.tx.ExecContext(ctx, statement, arguments(e.Parent)...)
	if err != nil || !e.Gone {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// below does for the rows that refer to others what the source's own cascade does: it
// deletes them or sets their reference to NULL, the deepest first; or it only logs them, if
// the first of those others is not gone. Those others are the rows of from for which where
// is true.
func (t *Tx) below(ctx context.Context, table, from, where string, args []any, gone bool, depth int) error {
	for _, fk := range t.move.Below(table) {
		s := t.move.Shape(fk.Table)
		child, parent := fmt.Sprintf("p%d", depth), fmt.Sprintf("p%d", depth-1)
		var on []string
		for i, c := range fk.Columns {
			on = append(on, child+"."+quote(c)+" = "+parent+"."+quote(fk.Parents[i]))
		}
		joined := from + " JOIN " + quote(fk.Table) + " AS " + child + " ON " + strings.Join(on, " AND ")
		if fk.OnDelete == dialect.Cascades && depth < dialect.DeepestCascade {
			if err := t.below(ctx, fk.Table, joined, where, args, gone, depth+1); err != nil {
				return err
			}
		}
		keys := quoteAll(child+".", s.Key()) + " FROM " + joined + " WHERE " + where
		these := " WHERE (" + quoteAll("", s.Key()) + ") IN (SELECT " + keys + ")"
		statement := "DELETE FROM " + quote(fk.Table) + these
		switch {
		case !gone:
			statement = "INSERT INTO " + quote(logTable(t.move.Split)) + "(tbl, " + quoteAll("", logColumns(s.Keys)) + ") SELECT " + text(s.Table.Name) + ", " + keys
		case fk.OnDelete == dialect.SetsNull:
			statement = "UPDATE " + quote(fk.Table) + " SET " + columns(fk.Nulled(), ", ", func(c string) string { return c + " = NULL" }) + these
		}
		if _, err := t.tx.ExecContext(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}

// PruneLoose deletes what has been carried over.
func (t *Tx) PruneLoose(ctx context.Context, l dialect.LooseLog) error {
	last, ok := l.Handle.(int64)
	if !ok {
		return nil
	}
	_, err := t.tx.ExecContext(ctx, `DELETE FROM `+quote(looseTable(t.move.Split))+` WHERE seq <= ?`, last)
	return t.db.explain(err, "prune which rows are gone")
}
