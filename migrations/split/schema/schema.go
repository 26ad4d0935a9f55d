// Package schema says what the split engine knows about tables: columns, key,
// uniqueness, foreign keys, triggers, generated values and sequences. It holds values
// only; how they are found out is a matter of each dialect.
package schema

import (
	"slices"
)

// A Table is one table as its database describes it. It is not changed after it was
// read.
type Table struct {
	Name        string
	Columns     []Column     // in the order of the table
	Key         []string     // columns of the key that rows are known by; empty: there is none
	Uniques     []Index      // everything that is unique but the key
	Indexes     []Index      // everything else that is indexed
	ForeignKeys []ForeignKey // from this table
	Triggers    []Trigger    // the application's own
	Sequence    *Sequence    // nil: keys are not generated
	Rows        int64        // an estimate, unless Counted
	Counted     bool         // every row was
	Bytes       int64        // on disk with indexes, an estimate
	SQL         string       // what creates it, where the database says so
	Options     []string     // e.g. WITHOUT ROWID, STRICT
	ByRowid     bool         // the key is SQLite's rowid: an integer, and the order of the rows
	RowID       string       // SQLite: a name of its row number, where that is not the key; empty: there is none

	// Obstacles are the reasons why this table cannot be moved.
	Obstacles []Obstacle
}

// An Obstacle is a reason why something cannot be moved, and what to do about it.
type Obstacle struct {
	Reason string `json:"reason"`
	Remedy string `json:"remedy"`
}

// A Column is one column of a table.
type Column struct {
	Name      string
	Type      string // as declared
	NotNull   bool
	Default   string    // as written; empty: none
	Generated Generated // whether the database computes it
	Collation string    // empty: the database's own
}

// Generated says how the value of a column comes about.
type Generated string

// The kinds of columns.
const (
	Written  Generated = ""         // somebody writes it
	Virtual  Generated = "virtual"  // computed when it is read
	Stored   Generated = "stored"   // computed when the row is written
	Identity Generated = "identity" // always the next of a sequence, unless it is overridden
)

// Computed reports whether the database computes the value from other columns: such a
// value is compared but never copied.
func (c Column) Computed() bool { return c.Generated == Virtual || c.Generated == Stored }

// An Index is an index or a unique constraint.
type Index struct {
	Name    string
	Columns []string // empty for a part that is an expression
	Terms   []string // each part as SQL: a quoted column or an expression
	Where   string   // SQL; empty: every row
	SQL     string   // what creates it; empty: it belongs to the table
}

// A ForeignKey is a reference from one table to another.
type ForeignKey struct {
	Name     string
	Table    string
	Columns  []string
	Parent   string
	Parents  []string // columns of the parent
	OnDelete string   // as declared: NO ACTION, CASCADE, …
	OnUpdate string
	// SetNull are the columns that ON DELETE SET NULL (…) names; empty: all.
	SetNull []string
}

// Nulled lists the columns that ON DELETE SET NULL sets to NULL.
func (f ForeignKey) Nulled() []string {
	if len(f.SetNull) > 0 {
		return f.SetNull
	}
	return f.Columns
}

// From names the referring column as a plan does; see Reference.
func (f ForeignKey) From() string { return Reference(f.Table, f.Columns) }

// To names the referred column as a plan does.
func (f ForeignKey) To() string { return Reference(f.Parent, f.Parents) }

// A Trigger is a trigger of the application.
type Trigger struct {
	Name   string
	Table  string
	SQL    string
	Others []string // tables besides its own that it mentions
}

// A View is a view that reads tables.
type View struct {
	Name   string
	SQL    string
	Tables []string // those of the split that it mentions
}

// A Sequence hands out keys.
type Sequence struct {
	Name   string // empty: it has none of its own
	Column string
	Step   int64 // negative: it counts downwards
	// Least and Most are its bounds, in PostgreSQL.
	Least, Most int64
}

// A Catalog is what a database says about the tables of a split and about all that
// hangs on them.
type Catalog struct {
	Tables   []*Table
	Missing  []string     // names for which there is no table
	Incoming []ForeignKey // from tables outside of the split
	Views    []View       // that read the tables
	Triggers []Trigger    // on tables outside of the split, that mention tables of it
	Notes    []string     // what to know before anything is moved, e.g. that the file is not in WAL mode
}

// Table returns the table named name, or nil.
func (c *Catalog) Table(name string) *Table {
	for _, t := range c.Tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Cut lists the foreign keys that the split cuts: from its tables to others, and from
// others to its tables.
func (c *Catalog) Cut() []ForeignKey {
	var cut []ForeignKey
	for _, t := range c.Tables {
		for _, fk := range t.ForeignKeys {
			if c.Table(fk.Parent) == nil {
				cut = append(cut, fk)
			}
		}
	}
	return append(cut, c.Incoming...)
}

// Inner lists the foreign keys between the tables.
func (c *Catalog) Inner() []ForeignKey {
	var inner []ForeignKey
	for _, t := range c.Tables {
		for _, fk := range t.ForeignKeys {
			if c.Table(fk.Parent) != nil {
				inner = append(inner, fk)
			}
		}
	}
	return inner
}

// Column returns the column named name, or nil.
func (t *Table) Column(name string) *Column {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Columns[i]
}
