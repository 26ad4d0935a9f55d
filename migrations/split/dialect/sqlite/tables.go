package sqlite

import (
	"context"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// Tables lists the application's tables: not SQLite's own, nor those in which a virtual
// table keeps its content.
func (d *Database) Tables(ctx context.Context) ([]string, error) {
	names := []string{}
	err := d.guest.Readers.SelectContext(ctx, &names, `
		SELECT name
		FROM pragma_table_list
		WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND substr(name, 1, ?) <> ?
		ORDER BY name COLLATE NOCASE`, len(dialect.Prefix), dialect.Prefix)
	return names, d.explain(err, "list the tables")
}
