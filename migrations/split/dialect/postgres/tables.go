package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Tables lists the application's tables: those of the first schema of the search path by
// their names, others with their schema. Parts of partitioned tables are left out.
func (d *DB) Tables(ctx context.Context) ([]string, error) {
	var names []string
	err := d.with(ctx, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `
			SELECT CASE WHEN s.nspname = $1 THEN c.relname ELSE s.nspname || '.' || c.relname END AS name
			FROM pg_class c
			JOIN pg_namespace s ON s.oid = c.relnamespace
			WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
				AND s.nspname <> 'information_schema' AND s.nspname !~ '^pg_' AND NOT starts_with(c.relname, $2)
			ORDER BY name`, d.schema, prefix)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the tables of %s: %w", d.info.Name, err)
	}
	return names, nil
}
