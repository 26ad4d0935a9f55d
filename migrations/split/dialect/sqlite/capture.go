package sqlite

import (
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// captureTriggers logs the key of every row of a table that changes. They mention only
// columns of the key and of unique indexes, so an application may change the others.
//
// After a change the new and the old key are logged. Before an insert or update the
// keys of rows are logged that it could displace: REPLACE deletes these without firing
// any delete trigger. A key too many costs a look at its row and nothing else. Every
// trigger costs each write that carries it, also where its condition is false, so there
// are none for what the others log anyway.
func captureTriggers(split string, s *schema.Shape) []string {
	c := captureOf(split, s)
	triggers := []string{
		c.trigger("ai", "AFTER INSERT", "", c.logged("NEW")),
		c.trigger("ad", "AFTER DELETE", "", c.logged("OLD")),
		c.trigger("au", "AFTER UPDATE", "", c.logged("NEW")),
		c.trigger("ak", "AFTER UPDATE"+c.setting(s.Key()), c.moved(), c.logged("OLD")),
	}
	if c.exact() && len(s.Table.Uniques) == 0 && s.Table.RowID == "" {
		return triggers
	}
	return append(
		triggers,
		c.trigger("bi", "BEFORE INSERT", "", c.displaced("", !c.exact())),
		c.trigger("bu", "BEFORE UPDATE"+c.setting(c.unique()), c.touched(), c.displaced(" AND NOT ("+c.same("OLD")+")", !c.exact())),
	)
}

func captureOf(split string, s *schema.Shape) capture {
	c := capture{split: split, shape: s, table: quote(s.Table.Name), log: quote(logTable(split)), label: s.Table.Name}
	c.into = "INSERT INTO " + c.log + "(tbl, " + quoteAll("", logColumns(s.Keys)) + ") "
	return c
}

type capture struct {
	split string
	shape *schema.Shape
	table string // quoted
	log   string // quoted
	into  string // INSERT INTO the log
	label string // what the log calls these rows
}

func (c capture) trigger(kind, when, condition, body string) string {
	if condition != "" {
		condition = " WHEN " + condition
	}
	return "CREATE TRIGGER " + quote(triggerName(c.split, c.shape.Table.Name, kind)) + " " + when + " ON " + c.table + condition + " BEGIN " + body + " END"
}

// logged logs the key of NEW or OLD.
func (c capture) logged(row string) string {
	return c.into + "VALUES (" + text(c.label) + ", " + quoteAll(row+".", c.shape.Key()) + ");"
}

// moved is true when the key changes, even if only in its bytes.
func (c capture) moved() string {
	return columns(c.shape.Key(), " OR ", func(k string) string {
		return "(NEW." + k + " IS NOT OLD." + k + " COLLATE BINARY)"
	})
}

// exact reports whether keys that the table takes for equal are the same values. Then a
// row that is displaced by its key has the key of the row that takes its place, which is
// logged after the change. A key with a collation of its own is among the uniques, too,
// and looked up there.
func (c capture) exact() bool {
	return !slices.ContainsFunc(c.shape.Key(), func(name string) bool {
		kind := strings.ToUpper(c.shape.Table.Column(name).Type)
		return !strings.Contains(kind, "INT") && !strings.Contains(kind, "CHAR") && !strings.Contains(kind, "TEXT") // 1 and 1.0 may both be kept
	})
}

// setting limits a trigger to updates that set one of the columns: other updates do not
// carry it. An INTEGER PRIMARY KEY can be set by the names of the rowid, too; a name that
// the table does not have does no harm. No names mean every update.
func (c capture) setting(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " OF " + quoteAll("", append(slices.Clone(names), rowids...))
}

// touched is true when an update may displace rows: when something unique changes. Where
// that cannot be told from columns it is always true.
func (c capture) touched() string {
	condition := columns(c.unique(), " OR ", func(n string) string { return "(NEW." + n + " IS NOT OLD." + n + " COLLATE BINARY)" })
	if id := c.shape.Table.RowID; condition != "" && id != "" {
		condition += " OR NEW." + id + " IS NOT OLD." + id
	}
	return condition
}

// unique lists the columns of all that is unique; none if something is computed.
func (c capture) unique() []string {
	names := slices.Clone(c.shape.Key())
	for _, u := range c.shape.Table.Uniques {
		for _, name := range u.Columns {
			if name == "" || c.shape.Table.Column(name).Computed() {
				return nil
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if u.Where != "" {
			return nil // a row may come under the condition by any column
		}
	}
	return names
}

// same compares the key of a row of the table with that of NEW or OLD.
func (c capture) same(row string) string {
	return columns(c.shape.Key(), " AND ", func(k string) string { return c.table + "." + k + " IS " + row + "." + k })
}

// displaced logs the rows of the table that stand in the way of NEW: those with its key,
// unless byKey is false, and those that are equal to it by something unique or have the
// number that it asks for. Each is a look-up in that index.
func (c capture) displaced(but string, byKey bool) string {
	found := c.into + "SELECT " + text(c.label) + ", " + quoteAll(c.table+".", c.shape.Key()) + " FROM " + c.table + " WHERE "
	var parts []string
	if byKey {
		parts = append(parts, found+columns(c.shape.Key(), " AND ", func(k string) string { return c.table + "." + k + " = NEW." + k })+but+";")
	}
	for _, u := range c.shape.Table.Uniques {
		parts = append(parts, found+c.equal(u)+but+";")
	}
	if id := c.shape.Table.RowID; id != "" { // NEW's is -1 where SQLite is to choose it
		parts = append(parts, found+c.table+"."+id+" = NEW."+id+but+";")
	}
	return strings.Join(parts, " ")
}

// equal compares a row of the table with NEW by a unique index. A term that is an
// expression is computed from a row that has NEW's values under the columns' names.
func (c capture) equal(u schema.Index) string {
	var parts []string
	if u.Where != "" {
		parts = append(parts, "("+u.Where+")")
	}
	for i, term := range u.Terms {
		body, collation := splitTerm(term)
		if name := u.Columns[i]; name != "" && !c.shape.Table.Column(name).Computed() {
			parts = append(parts, c.table+"."+quote(name)+" = NEW."+quote(name)+" COLLATE "+collation)
			continue
		}
		parts = append(parts, body+" = (SELECT "+body+" FROM ("+c.row()+")) COLLATE "+collation)
	}
	return strings.Join(parts, " AND ")
}

// row is NEW as a table of one row.
func (c capture) row() string {
	var names []string
	for _, col := range c.shape.Table.Columns {
		names = append(names, col.Name)
	}
	return "SELECT " + columns(names, ", ", func(n string) string { return "NEW." + n + " AS " + n })
}
