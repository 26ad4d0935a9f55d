package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

var _ dialect.Warden = (*DB)(nil)

// inspectRights names what the engine's role may not do with a table of the split and beside
// it.
func (in *inspector) inspectRights(ctx context.Context, t *schema.Table, r relation) error {
	for _, check := range []func() (*schema.Obstacle, error){
		func() (*schema.Obstacle, error) { return ownership(ctx, in.c, r.name()) },
		func() (*schema.Obstacle, error) {
			return privileges(ctx, in.c, "TABLE "+r.name().quoted(), `SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p WHERE NOT has_table_privilege($1::oid, p)`, r.OID)
		},
		func() (*schema.Obstacle, error) {
			if t.Sequence == nil {
				return nil, nil
			}
			return privileges(ctx, in.c, "SEQUENCE "+t.Sequence.Name, `SELECT p FROM unnest(ARRAY['SELECT', 'UPDATE']) p WHERE NOT has_sequence_privilege($1::text, p)`, t.Sequence.Name)
		},
		func() (*schema.Obstacle, error) { return making(ctx, in.c, r.Schema) },
		func() (*schema.Obstacle, error) { return making(ctx, in.c, in.d.schema) },
	} {
		o, err := check()
		if err != nil {
			return fmt.Errorf("rights: %w", err)
		}
		if o != nil && !slices.Contains(t.Obstacles, *o) {
			t.Obstacles = append(t.Obstacles, *o)
		}
	}
	return nil
}

// Rights names what the engine's role may not do with what is not described by a catalog:
// tables that are not there yet, and those that stay.
func (d *DB) Rights(ctx context.Context, n dialect.Needs) (obstacles []schema.Obstacle, err error) {
	err = d.with(ctx, func(c *pgx.Conn) error {
		add := func(o *schema.Obstacle, err error) error {
			if o != nil && !slices.Contains(obstacles, *o) {
				obstacles = append(obstacles, *o)
			}
			return err
		}
		for _, table := range n.Make {
			for _, s := range []string{d.full(table).Schema, d.schema} {
				if err := add(making(ctx, c, s)); err != nil {
					return err
				}
			}
		}
		for _, table := range n.Watch {
			if err := add(ownership(ctx, c, d.full(table))); err != nil {
				return err
			}
		}
		for _, fk := range n.Read {
			if err := add(reading(ctx, c, d.full(fk.Table), fk.Columns)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("rights in %s: %w", d.info.Name, err)
	}
	return obstacles, nil
}

// full is the name of a plan's table with its schema.
func (d *DB) full(table string) name {
	n := parseName(table)
	if n.Schema == "" {
		n.Schema = d.schema
	}
	return n
}

// ownership: a right to make triggers is not enough. That one fires for replicas, too, only
// the owner of a table can say, and so it is with the parents that loose keys lead to.
func ownership(ctx context.Context, c *pgx.Conn, n name) (*schema.Obstacle, error) {
	var role, owner string
	var owns bool
	err := c.QueryRow(ctx, `
		SELECT current_user, relowner::regrole::text, pg_has_role(relowner, 'USAGE')
		FROM pg_class r JOIN pg_namespace s ON s.oid = relnamespace
		WHERE s.nspname = $1 AND relname = $2`, n.Schema, n.Table).Scan(&role, &owner, &owns)
	if err != nil || owns {
		return nil, notNone(err)
	}
	return &schema.Obstacle{
		Reason: fmt.Sprintf("the role %s may not make the engine's triggers on %s, which only its owner may", role, n.quoted()),
		Remedy: fmt.Sprintf("GRANT %s TO %s", owner, quote(role)),
	}, nil
}

func notNone(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// privileges names those that the role lacks on an object, which a query lists.
func privileges(ctx context.Context, c *pgx.Conn, object, query string, arg any) (*schema.Obstacle, error) {
	rows, err := c.Query(ctx, query, arg)
	if err != nil {
		return nil, err
	}
	lacks, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(lacks) == 0 {
		return nil, err
	}
	var role string
	if err := c.QueryRow(ctx, `SELECT current_user`).Scan(&role); err != nil {
		return nil, err
	}
	return &schema.Obstacle{
		Reason: fmt.Sprintf("the role %s may not %s on %s", role, strings.Join(lacks, ", "), object),
		Remedy: fmt.Sprintf("GRANT %s ON %s TO %s", strings.Join(lacks, ", "), object, quote(role)),
	}, nil
}

// making: the engine makes tables and functions in a schema, or the schema.
func making(ctx context.Context, c *pgx.Conn, in string) (*schema.Obstacle, error) {
	var role, database string
	var there, usage, create, schemas bool
	err := c.QueryRow(ctx, `
		SELECT current_user, current_database(), s.oid IS NOT NULL, coalesce(has_schema_privilege(s.oid, 'USAGE'), false),
			coalesce(has_schema_privilege(s.oid, 'CREATE'), false), has_database_privilege(current_database(), 'CREATE')
		FROM (VALUES ($1::text)) AS wanted(name) LEFT JOIN pg_namespace s ON s.nspname = name`, in).Scan(&role, &database, &there, &usage, &create, &schemas)
	switch {
	case err != nil, usage && create, !there && schemas:
		return nil, err
	case !there:
		return &schema.Obstacle{
			Reason: fmt.Sprintf("the role %s may not make the schema %s in the database %s", role, in, database),
			Remedy: fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s", quote(database), quote(role)),
		}, nil
	case !usage:
		return unusable(in, role), nil
	}
	return &schema.Obstacle{
		Reason: fmt.Sprintf("the role %s may not make the engine's tables and functions in the schema %s of %s", role, in, database),
		Remedy: fmt.Sprintf("GRANT CREATE ON SCHEMA %s TO %s", quote(in), quote(role)),
	}, nil
}

// reading: before the source owns again, it is looked whether tables that stay refer to rows
// that are gone.
func reading(ctx context.Context, c *pgx.Conn, n name, columns []string) (*schema.Obstacle, error) {
	var role string
	var uses, may bool
	err := c.QueryRow(ctx, `
		SELECT current_user, has_schema_privilege(s.oid, 'USAGE'),
			has_table_privilege(r.oid, 'SELECT') OR (SELECT bool_and(has_column_privilege(r.oid, k, 'SELECT')) FROM unnest($3::text[]) k)
		FROM pg_class r JOIN pg_namespace s ON s.oid = relnamespace
		WHERE s.nspname = $1 AND relname = $2`, n.Schema, n.Table, columns).Scan(&role, &uses, &may)
	switch {
	case err != nil:
		return nil, notNone(err)
	case !uses:
		return unusable(n.Schema, role), nil
	case may:
		return nil, nil
	}
	return &schema.Obstacle{
		Reason: fmt.Sprintf("the role %s may not read %s, which refers to the tables", role, n.quoted()),
		Remedy: fmt.Sprintf("GRANT SELECT ON %s TO %s", n.quoted(), quote(role)),
	}, nil
}

func unusable(in, role string) *schema.Obstacle {
	return &schema.Obstacle{
		Reason: fmt.Sprintf("the role %s may not see what is in the schema %s", role, in),
		Remedy: fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", quote(in), quote(role)),
	}
}

// hidden says that a table is in a schema that the role may not look into.
func (in *inspector) hidden(ctx context.Context, n name) (*schema.Obstacle, error) {
	var role string
	var uses bool
	err := in.c.QueryRow(ctx, `SELECT current_user, has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1`, n.Schema).Scan(&role, &uses)
	if err != nil || uses {
		return nil, notNone(err)
	}
	return unusable(n.Schema, role), nil
}
