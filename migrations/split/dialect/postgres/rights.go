package postgres

import (
	"context"
	"fmt"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// rights names what the engine's role may not do with a table of the split. A right to
// make triggers is not enough: that a trigger fires for replicas, too, only the owner of
// a table can say, and so it is with the parents that loose keys lead to.
func (in *inspector) rights(ctx context.Context, t *schema.Table, r relation) error {
	keys, err := r.foreignKeys(ctx, in.c)
	if err != nil {
		return err
	}
	tables := []string{r.name().quoted()}
	for _, k := range keys {
		if _, inside := in.names[k.To]; !inside && (k.OnDelete == "c" || k.OnDelete == "n") {
			tables = append(tables, k.Parent)
		}
	}
	for _, table := range tables {
		var role, owner string
		var owns bool
		err := in.c.QueryRow(ctx, `SELECT current_user, relowner::regrole::text, pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass($1)`, table).Scan(&role, &owner, &owns)
		if err != nil {
			return fmt.Errorf("who owns %s: %w", table, err)
		}
		if !owns {
			t.Obstacles = append(t.Obstacles, schema.Obstacle{
				Reason: fmt.Sprintf("the role %s may not make the engine's triggers on %s, which only its owner may", role, table),
				Remedy: fmt.Sprintf("GRANT %s TO %s", owner, quote(role)),
			})
		}
	}
	for _, name := range []string{r.Schema, in.d.schema} {
		var role string
		var may bool
		if err := in.c.QueryRow(ctx, `SELECT current_user, has_schema_privilege($1, 'CREATE')`, name).Scan(&role, &may); err != nil {
			return fmt.Errorf("rights in schema %s: %w", name, err)
		}
		if !may {
			t.Obstacles = append(t.Obstacles, schema.Obstacle{
				Reason: fmt.Sprintf("the role %s may not make the engine's tables and functions in the schema %s", role, name),
				Remedy: fmt.Sprintf("GRANT CREATE ON SCHEMA %s TO %s", quote(name), quote(role)),
			})
		}
		if r.Schema == in.d.schema {
			break
		}
	}
	return nil
}
