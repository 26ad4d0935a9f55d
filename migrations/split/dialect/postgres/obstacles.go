package postgres

import (
	"fmt"
	"strings"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// kindObstacle names what is no ordinary table at all.
func kindObstacle(r relation) *schema.Obstacle {
	switch r.Kind {
	case "r":
		return nil
	case "p":
		return &schema.Obstacle{
			Reason: "it is a partitioned table",
			Remedy: "move its rows into an ordinary table first, or leave it with the monolith",
		}
	case "f":
		return &schema.Obstacle{Reason: "it is a foreign table: its rows are in another database", Remedy: "move it where its rows are"}
	case "v", "m":
		return &schema.Obstacle{Reason: "it is a view", Remedy: "name the tables that it reads"}
	}
	return &schema.Obstacle{Reason: fmt.Sprintf("it is no table (relkind %s)", r.Kind), Remedy: "take it out of the plan"}
}

// relationObstacles names what is wrong with a table as a whole.
func relationObstacles(r relation) []schema.Obstacle {
	var all []schema.Obstacle
	add := func(wrong bool, reason, remedy string) {
		if wrong {
			all = append(all, schema.Obstacle{Reason: reason, Remedy: remedy})
		}
	}
	table := r.name().quoted()
	add(r.Partition, "it is a part of a partitioned table", "detach it, or move its rows into an ordinary table first")
	add(!r.Partition && r.Inherits, "it inherits from another table, or another one from it: a read of the one reads both", "ALTER TABLE … NO INHERIT …")
	add(r.Persistence == "u", "it is unlogged: after a crash of the server it is empty, and no trigger says so", "ALTER TABLE "+table+" SET LOGGED")
	add(r.Persistence == "t", "it is temporary", "take it out of the plan")
	add(r.RowSecurity, "it has row level security, so it shows each role other rows", "ALTER TABLE "+table+" DISABLE ROW LEVEL SECURITY")
	add(len(r.Rules) > 0, "it has rules ("+strings.Join(r.Rules, ", ")+"), which rewrite statements before any trigger sees them", "replace them by triggers")
	return all
}

// columnObstacle names what is wrong with a column.
func columnObstacle(c column) *schema.Obstacle {
	where := fmt.Sprintf("column %s has the type %s", c.Name, c.Type)
	switch {
	case c.TypeKind == "c":
		return &schema.Obstacle{Reason: where + ", which is composite", Remedy: "spread it over ordinary columns, or store it as jsonb"}
	case c.TypeKind == "p":
		return &schema.Obstacle{Reason: where + ", which is no type of values", Remedy: "change the column's type"}
	case strings.HasPrefix(c.Base, "reg") && c.TypeSchema == "pg_catalog":
		return &schema.Obstacle{Reason: where + ": it points into the catalog of this database", Remedy: "store the name as text"}
	}
	return nil
}

// indexObstacles names what is wrong with an index.
func indexObstacles(i index) []schema.Obstacle {
	switch {
	case i.Constraint == "x":
		return []schema.Obstacle{{
			Reason: fmt.Sprintf("it has the exclusion constraint %s, of which the engine cannot tell which rows stand in each other's way", i.Name),
			Remedy: "drop it for the time of the move",
		}}
	case i.Unique && i.Deferrable:
		return []schema.Obstacle{{
			Reason: fmt.Sprintf("its constraint %s is deferrable, which replicas do not check", i.Name),
			Remedy: "make it NOT DEFERRABLE",
		}}
	case i.Unique && !i.Valid:
		return []schema.Obstacle{{
			Reason: fmt.Sprintf("its unique index %s is not valid: making it was interrupted or failed", i.Name),
			Remedy: "drop it, or make it again with REINDEX",
		}}
	}
	return nil
}

// keyObstacles names what is wrong with the columns of a key.
func keyObstacles(t *schema.Table) []schema.Obstacle {
	var all []schema.Obstacle
	for _, name := range t.Key {
		switch c := t.Column(name); {
		case strings.HasSuffix(c.Type, "[]"):
			all = append(all, schema.Obstacle{
				Reason: fmt.Sprintf("column %s of its key is an array", name),
				Remedy: "add a primary key of single values",
			})
		case c.Computed():
			all = append(all, schema.Obstacle{
				Reason: fmt.Sprintf("column %s of its key is computed", name),
				Remedy: "add a primary key of columns that are written",
			})
		}
	}
	return all
}
