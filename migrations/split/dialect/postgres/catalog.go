package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// name is a table's place in a database. The empty schema is the one where the
// connection creates tables, mostly public.
type name struct{ Schema, Table string }

// parseName reads a plan's name: TABLE or SCHEMA.TABLE.
func parseName(s string) name {
	if schema, table, ok := strings.Cut(s, "."); ok {
		return name{schema, table}
	}
	return name{Table: s}
}

// quoted is the name as SQL; sibling is another object of the same schema.
func (n name) quoted() string { return n.sibling(n.Table) }

func (n name) sibling(object string) string {
	if n.Schema == "" {
		return quote(object)
	}
	return pgx.Identifier{n.Schema, object}.Sanitize()
}

// quote is an identifier as SQL.
func quote(s string) string { return pgx.Identifier{s}.Sanitize() }

// literal is a text as SQL.
func literal(s string) string {
	s = strings.ReplaceAll(s, "'", "''")
	if strings.Contains(s, `\`) {
		return ` E'` + strings.ReplaceAll(s, `\`, `\\`) + `'`
	}
	return "'" + s + "'"
}

// quoteAll is a list of columns as SQL, each behind prefix.
func quoteAll(prefix string, columns []string) string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = prefix + quote(c)
	}
	return strings.Join(all, ", ")
}

// relation is a table as pg_class and its neighbours describe it.
type relation struct {
	OID         uint32
	Schema      string
	Table       string
	Kind        string // r ordinary, p partitioned, f foreign, v view, m materialized view
	Persistence string // p permanent, u unlogged, t temporary
	Partition   bool   // a part of a partitioned table
	Inherits    bool   // has a parent or a child
	Typed       bool   // CREATE TABLE … OF type
	RowSecurity bool
	Rules       []string
	Rows        float64 // the planner's estimate; negative: never analyzed
	Bytes       int64
}

// name is the table's full name.
func (r relation) name() name { return name{r.Schema, r.Table} }

// errNoTable reports that there is no such table.
var errNoTable = errors.New("no such table")

// relation looks a table up.
func (n name) relation(ctx context.Context, c *pgx.Conn) (relation, error) {
	rows, err := c.Query(ctx, `
		SELECT c.oid, s.nspname AS schema, c.relname AS table, c.relkind::text AS kind, c.relpersistence::text AS persistence,
			c.relispartition AS partition,
			EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) AS inherits,
			c.reloftype <> 0 AS typed, c.relrowsecurity AS row_security,
			ARRAY(SELECT r.rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid ORDER BY 1) AS rules,
			c.reltuples::float8 AS rows,
			CASE WHEN c.relkind IN ('r', 'm') THEN pg_table_size(c.oid) ELSE 0 END AS bytes
		FROM pg_class c
		JOIN pg_namespace s ON s.oid = c.relnamespace
		WHERE c.oid = to_regclass($1)`, n.quoted())
	if err != nil {
		return relation{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[relation])
	if errors.Is(err, pgx.ErrNoRows) {
		return relation{}, errNoTable
	}
	return r, err
}

// column is one column as pg_attribute describes it.
type column struct {
	Name          string
	Type          string // with its length, as DDL says it: numeric(10,2)
	Base          string // the type below domains, without a length
	TypeKind      string // b base, e enum, d domain, c composite, r range, m multirange, p pseudo
	TypeSchema    string // pg_catalog for those that come with the server
	NotNull       bool
	Default       string // as SQL; empty: none. Of a generated column, its expression
	Identity      string // a always, d by default; empty: none
	Generated     bool
	Collation     string // as SQL; empty: the type has none
	Deterministic bool
}

// columns lists the columns of a table in their order.
func (r relation) columns(ctx context.Context, c *pgx.Conn) ([]column, error) {
	rows, err := c.Query(ctx, `
		WITH RECURSIVE base(attnum, oid, kind, schema, depth) AS (
			SELECT a.attnum, t.oid, t.typtype, t.typnamespace, 0
			FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
			WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
			UNION ALL
			SELECT b.attnum, t.oid, t.typtype, t.typnamespace, b.depth + 1
			FROM base b JOIN pg_type d ON d.oid = b.oid AND d.typtype = 'd' JOIN pg_type t ON t.oid = d.typbasetype
		)
		SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
			format_type((SELECT b.oid FROM base b WHERE b.attnum = a.attnum ORDER BY depth DESC LIMIT 1), NULL) AS base,
			t.typtype::text AS type_kind, ts.nspname AS type_schema,
			a.attnotnull AS not_null, coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS default,
			a.attidentity::text AS identity, a.attgenerated <> '' AS generated,
			CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation
				THEN quote_ident(cs.nspname) || '.' || quote_ident(l.collname) ELSE '' END AS collation,
			coalesce(l.collisdeterministic, true) AS deterministic
		FROM pg_attribute a
		JOIN pg_type t ON t.oid = a.atttypid
		JOIN pg_namespace ts ON ts.oid = t.typnamespace
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		LEFT JOIN pg_collation l ON l.oid = a.attcollation
		LEFT JOIN pg_namespace cs ON cs.oid = l.collnamespace
		WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY a.attnum`, r.OID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[column])
}

// index is a unique index, or the one of an exclusion constraint.
type index struct {
	Name       string
	Constraint string // p primary key, u unique, x exclusion; empty: an index alone
	Columns    []string
	Expression bool // over an expression rather than columns
	Partial    bool
	Valid      bool
	Deferrable bool
	NullsEqual bool
	Unique     bool
	Where      string   // of a partial index
	Terms      []string // each part as SQL: a column or an expression
	Definition string   // of the constraint if it is one, else of the index
}

// indexes lists the indexes of a table, the primary key first.
func (r relation) indexes(ctx context.Context, c *pgx.Conn) ([]index, error) {
	nulls := "false"
	if strings.Compare(c.PgConn().ParameterStatus("server_version"), "15") >= 0 {
		nulls = "i.indnullsnotdistinct"
	}
	rows, err := c.Query(ctx, `
		SELECT ic.relname AS name, coalesce(k.contype::text, '') AS constraint,
			ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY AS u(num, pos)
				JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.num
				WHERE u.pos <= i.indnkeyatts ORDER BY u.pos) AS columns,
			i.indexprs IS NOT NULL AS expression, i.indpred IS NOT NULL AS partial, i.indisvalid AND i.indisready AS valid,
			NOT i.indimmediate AS deferrable, `+nulls+` AS nulls_equal, i.indisunique AS unique,
			coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS where,
			ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnkeyatts) n) AS terms,
			coalesce(pg_get_constraintdef(k.oid), pg_get_indexdef(i.indexrelid)) AS definition
		FROM pg_index i
		JOIN pg_class ic ON ic.oid = i.indexrelid
		LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
		WHERE i.indrelid = $1
		ORDER BY i.indisprimary DESC, ic.relname`, r.OID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[index])
}

// foreignKey is a foreign key of a table or one that points at it.
type foreignKey struct {
	Name       string
	From       string // SCHEMA.TABLE
	FromCols   []string
	To         string
	Parent     string // To as SQL
	ToCols     []string
	OnDelete   string // a no action, r restrict, c cascade, n set null, d set default
	OnUpdate   string
	SetNull    []string // of ON DELETE SET NULL (…)
	Definition string
}

// foreignKeys lists the foreign keys of a table and those of others that point at it.
func (r relation) foreignKeys(ctx context.Context, c *pgx.Conn) ([]foreignKey, error) {
	some := "NULL::int2[]"
	if strings.Compare(c.PgConn().ParameterStatus("server_version"), "15") >= 0 {
		some = "k.confdelsetcols"
	}
	rows, err := c.Query(ctx, `
		SELECT k.conname AS name, fs.nspname || '.' || f.relname AS from, ts.nspname || '.' || t.relname AS to, quote_ident(ts.nspname) || '.' || quote_ident(t.relname) AS parent,
			ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(num, pos)
				JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.pos) AS from_cols,
			ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(num, pos)
				JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.pos) AS to_cols,
			k.confdeltype::text AS on_delete, k.confupdtype::text AS on_update,
			ARRAY(SELECT a.attname::text FROM unnest(`+some+`) WITH ORDINALITY AS u(num, pos)
				JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.pos) AS set_null, pg_get_constraintdef(k.oid) AS definition
		FROM pg_constraint k
		JOIN pg_class f ON f.oid = k.conrelid JOIN pg_namespace fs ON fs.oid = f.relnamespace
		JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace ts ON ts.oid = t.relnamespace
		WHERE k.contype = 'f' AND $1 IN (k.conrelid, k.confrelid)
		ORDER BY fs.nspname, f.relname, k.conname`, r.OID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[foreignKey])
}

// trigger is a trigger that somebody made; those of foreign keys are not listed.
type trigger struct {
	Name       string
	Definition string
	Function   string // its body
	Enabled    string // O ordinary, A always, R replica, D disabled
}

// triggers lists the triggers of a table.
func (r relation) triggers(ctx context.Context, c *pgx.Conn) ([]trigger, error) {
	rows, err := c.Query(ctx, `
		SELECT t.tgname AS name, pg_get_triggerdef(t.oid) AS definition, pg_get_functiondef(t.tgfoid) AS function, t.tgenabled::text AS enabled
		FROM pg_trigger t
		WHERE t.tgrelid = $1 AND NOT t.tgisinternal
		ORDER BY t.tgname`, r.OID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[trigger])
}

// readers names the views that read a table, each as SCHEMA.NAME.
func (r relation) readers(ctx context.Context, c *pgx.Conn) ([]string, error) {
	rows, err := c.Query(ctx, `
		SELECT DISTINCT s.nspname || '.' || v.relname
		FROM pg_depend d
		JOIN pg_rewrite w ON w.oid = d.objid
		JOIN pg_class v ON v.oid = w.ev_class
		JOIN pg_namespace s ON s.oid = v.relnamespace
		WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND v.oid <> $1
		ORDER BY 1`, r.OID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// sequence feeds a column, by its default or as its identity.
type sequence struct {
	Column    string
	OID       uint32
	Schema    string
	Name      string
	Increment int64
	Start     int64
	Minimum   int64
	Maximum   int64
	Cycle     bool
	Owned     bool // goes when the column goes
}

// quoted is the sequence's name as SQL.
func (s sequence) quoted() string { return pgx.Identifier{s.Schema, s.Name}.Sanitize() }

// sequences lists the sequences that feed columns of a table.
func (r relation) sequences(ctx context.Context, c *pgx.Conn) ([]sequence, error) {
	rows, err := c.Query(ctx, `
		WITH used(attnum, oid, owned) AS (
			SELECT d.refobjsubid, d.objid, true FROM pg_depend d
			WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.deptype IN ('a', 'i')
			UNION ALL
			SELECT a.adnum, d.refobjid, false FROM pg_attrdef a
			JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid AND d.refclassid = 'pg_class'::regclass
			WHERE a.adrelid = $1 AND d.refobjid <> $1
		)
		SELECT a.attname AS column, s.seqrelid AS oid, n.nspname AS schema, c.relname AS name, s.seqincrement AS increment,
			s.seqstart AS start, s.seqmin AS minimum, s.seqmax AS maximum, s.seqcycle AS cycle, bool_or(u.owned) AS owned
		FROM used u
		JOIN pg_sequence s ON s.seqrelid = u.oid
		JOIN pg_class c ON c.oid = u.oid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = $1 AND a.attnum = u.attnum
		GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
		ORDER BY 1, 2`, r.OID)
	if err != nil {
		return nil, fmt.Errorf("sequences of %s: %w", r.Table, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[sequence])
}
