// Package testkit helps to test the split engine: it opens both sides of a move, and
// compares their tables in a way that has nothing to do with the engine's own.
package testkit

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// Move is what all moves of these tests are called.
const (
	Split = "kit"
	ID    = "move-1"
)

// Expand prepares both databases for a move of tables and returns its two sides: the
// source leads, and the target follows. If create is set, the target's tables are made.
func Expand(ctx context.Context, t testing.TB, source, target dialect.Database, tables []string, create bool) (from, to transfer.Side) {
	t.Helper()
	from, to = Sides(ctx, t, source, target, tables, create)
	Roles(ctx, t, from, to)
	return from, to
}

// Sides is Expand without giving the two sides their roles.
func Sides(ctx context.Context, t testing.TB, source, target dialect.Database, tables []string, create bool) (from, to transfer.Side) {
	t.Helper()
	have := Catalog(ctx, t, source, tables)
	from = transfer.Side{Database: source, Move: dialect.Move{Split: Split, ID: ID, Role: dialect.Source}}
	to = transfer.Side{Database: target, Move: dialect.Move{Split: Split, ID: ID, Role: dialect.Target}}
	for _, table := range have.Tables {
		shape, _, _ := schema.Match(table, table, nil)
		from.Move.Shapes = append(from.Move.Shapes, shape)
	}
	to.Move.Shapes = from.Move.Shapes
	if create {
		Check(t, target.Prepare(ctx, to.Move))
		Check(t, target.CreateTables(ctx, to.Move, have.Tables))
	}
	from.Move.Shapes, to.Move.Shapes = nil, nil
	there := Catalog(ctx, t, target, tables)
	for i, table := range have.Tables {
		f, s, obstacles := schema.Match(table, there.Tables[i], nil)
		if len(obstacles) > 0 {
			t.Fatalf("table %s: %v", table.Name, obstacles)
		}
		from.Move.Shapes, to.Move.Shapes = append(from.Move.Shapes, f), append(to.Move.Shapes, s)
	}
	Check(t, source.Prepare(ctx, from.Move))
	Check(t, target.Prepare(ctx, to.Move))
	return from, to
}

// Roles lets from lead and to follow.
func Roles(ctx context.Context, t testing.TB, from, to transfer.Side) {
	t.Helper()
	for _, s := range []transfer.Side{to, from} {
		tx, err := s.Begin(ctx, s.Move)
		Check(t, err)
		if s.Database == from.Database {
			err = tx.Lead(ctx, dialect.Record{Owner: dialect.Source})
		} else {
			err = tx.Follow(ctx, dialect.Record{Owner: dialect.Source})
		}
		Check(t, err)
		Check(t, tx.Commit())
	}
}

// Catalog reads tables that must all be there.
func Catalog(ctx context.Context, t testing.TB, db dialect.Database, tables []string) *schema.Catalog {
	t.Helper()
	c, err := db.Catalog(ctx, tables)
	Check(t, err)
	if len(c.Missing) > 0 {
		t.Fatalf("%s: no table %s", db.Info().Name, strings.Join(c.Missing, ", "))
	}
	return c
}

// Check ends the test at an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Finish copies what is left and applies what is logged until there is nothing more.
func Finish(ctx context.Context, w *transfer.Way) error {
	for {
		for table := range w.Tables() {
			for !w.Progress(table).Copied {
				if _, err := w.Copy(ctx, table, 100); err != nil {
					return fmt.Errorf("copy: %w", err)
				}
			}
			if err := w.Unpark(ctx, table); err != nil {
				return fmt.Errorf("unpark: %w", err)
			}
		}
		a, err := w.Apply(ctx)
		if err != nil {
			return fmt.Errorf("apply: %w", err)
		}
		if a.Entries == 0 {
			return nil
		}
	}
}
