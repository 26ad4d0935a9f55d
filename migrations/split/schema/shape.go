package schema

import (
	"fmt"
	"slices"
	"strings"
)

// A Shape is the part of a table that the engine moves: how a row of it is written in
// memory. The two shapes of one table, in source and target, have the same length and
// order; only the names may differ. The key comes first, then the other columns, and
// after them those that the database computes, which are read and never written.
type Shape struct {
	Table    *Table
	Names    []string // columns in the order of a row
	Keys     int      // how many of them are the key
	Computed int      // how many at the end are computed
}

// Key lists the names of the key's columns.
func (s *Shape) Key() []string { return s.Names[:s.Keys] }

// Written lists the names of all columns that are copied, the key first.
func (s *Shape) Written() []string { return s.Names[:len(s.Names)-s.Computed] }

// Renamed maps names of columns of another shape of the same table to those of this one. A
// column that does not move keeps its name.
func (s *Shape) Renamed(other *Shape, columns []string) []string {
	var names []string
	for _, c := range columns {
		if i := slices.Index(other.Names, c); i >= 0 {
			c = s.Names[i]
		}
		names = append(names, c)
	}
	return names
}

// Columns describes the columns in the order of a row.
func (s *Shape) Columns() []Column {
	columns := make([]Column, len(s.Names))
	for i, name := range s.Names {
		columns[i] = *s.Table.Column(name)
	}
	return columns
}

// Renames maps names of a source's columns to their names in the target.
type Renames map[string]string

// Match pairs a table of the source with that of the target. Each column that the
// source writes has to be in the target; what the target has besides must have a
// default or take NULL. A column that both compute is compared; one that only one of
// them computes is an obstacle if the other writes it.
func Match(source, target *Table, renames Renames) (from, to *Shape, obstacles []Obstacle) {
	m := matcher{source: source, target: target, renames: renames}
	m.from, m.to = &Shape{Table: source}, &Shape{Table: target}
	for _, name := range source.Key {
		m.pair(*source.Column(name))
	}
	m.from.Keys, m.to.Keys = len(m.from.Names), len(m.from.Names)
	for _, c := range source.Columns {
		if !c.Computed() && !slices.Contains(source.Key, c.Name) {
			m.pair(c)
		}
	}
	m.computed()
	m.targetKey()
	m.rest()
	return m.from, m.to, m.obstacles
}

type matcher struct {
	source, target *Table
	renames        Renames
	from, to       *Shape
	obstacles      []Obstacle
}

func (m *matcher) add(remedy, format string, args ...any) {
	m.obstacles = append(m.obstacles, Obstacle{Reason: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (m *matcher) name(source string) string {
	if name, ok := m.renames[source]; ok {
		return name
	}
	return source
}

// pair takes in a column that the source writes.
func (m *matcher) pair(c Column) {
	name := m.name(c.Name)
	switch other := m.target.Column(name); {
	case other == nil:
		m.add("add the column to the target, or name the one that takes it under columns in the plan",
			"column %s has no counterpart %s in the target", c.Name, name)
	case other.Computed():
		m.add("make it an ordinary column in the target", "column %s is written in the source and computed in the target", c.Name)
	default:
		m.from.Names = append(m.from.Names, c.Name)
		m.to.Names = append(m.to.Names, name)
	}
}

// computed takes in the columns that both databases compute. Where the target has an
// ordinary column it is filled by nobody, so that is an obstacle; where it has none there
// is nothing to compare.
func (m *matcher) computed() {
	for _, c := range m.source.Columns {
		if !c.Computed() {
			continue
		}
		switch other := m.target.Column(m.name(c.Name)); {
		case other == nil:
		case !other.Computed():
			m.add("compute it in the target, too, or leave it out there", "column %s is computed in the source and an ordinary one in the target", c.Name)
		default:
			m.from.Names = append(m.from.Names, c.Name)
			m.to.Names = append(m.to.Names, other.Name)
			m.from.Computed++
			m.to.Computed++
		}
	}
}

// targetKey makes sure that the target knows rows by the same columns: without that
// neither side could name a row of the other.
func (m *matcher) targetKey() {
	var want []string
	for _, name := range m.source.Key {
		want = append(want, m.name(name))
	}
	if !slices.Equal(want, m.target.Key) {
		m.add("give the target's table the same primary key", "the key is (%s) in the source and (%s) in the target", strings.Join(want, ", "), strings.Join(m.target.Key, ", "))
	}
}

// rest looks at columns that only the target has.
func (m *matcher) rest() {
	for _, c := range m.target.Columns {
		if c.NotNull && c.Default == "" && c.Generated == Written && !slices.Contains(m.to.Names, c.Name) {
			m.add("give it a default in the target", "column %s of the target takes no NULL, has no default, and is not in the source", c.Name)
		}
	}
}
