package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stranglerfig/toolkit/internal/fuse"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// Driver is what plans call PostgreSQL.
const Driver = "pgx"

// oldest is the first version with CREATE OR REPLACE TRIGGER.
const oldest = 140000

// sessions is how many connections one side of a split uses at most.
const sessions = 6

// DB is one PostgreSQL database as a side of a split. It is safe for concurrent use;
// who opened it closes it.
type DB struct {
	pool    *pgxpool.Pool
	info    dialect.Info
	schema  string // where the engine makes what is not beside a table
	byBytes bool   // the database's own collation is the order of bytes
	version int    // e.g. 150004
	alone   bool   // may shorten deadlock_timeout, see Fence

	fuse    fuse.Fuse // while the tables are fenced
	mu      sync.Mutex
	layouts map[string]*layout
	shrunk  map[uint32]string // retired tables, by OID: where Shrink goes on
}

var _ dialect.Database = (*DB)(nil)

// Open connects to the database that dsn names and checks that the engine can work
// there. It changes nothing.
func Open(ctx context.Context, dsn string) (*DB, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// pgx hides the password, but not what it took for something else.
		return nil, fmt.Errorf("the DSN is not one of PostgreSQL: give it as postgres://USER@HOST:PORT/DATABASE: %w", errors.Unwrap(err))
	}
	prepareConfig(config.ConnConfig, "strangler split")
	config.MaxConns = sessions
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	d := &DB{pool: pool, layouts: map[string]*layout{}}
	d.info = dialect.Info{Driver: Driver, Name: fmt.Sprintf("%s/%s", config.ConnConfig.Host, config.ConnConfig.Database)}
	if err := d.greet(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("database %s: %w", d.info.Name, explain(err))
	}
	return d, nil
}

// greet asks the server who it is and what this role may do.
func (d *DB) greet(ctx context.Context) error {
	var encoding string
	var schema *string
	err := d.pool.QueryRow(ctx, `
		SELECT current_setting('server_version'), current_setting('server_version_num')::int, current_schema(),
			pg_encoding_to_char(d.encoding), d.datcollate IN ('C', 'POSIX') AND NOT (to_jsonb(d)->>'datlocprovider' IS NOT DISTINCT FROM 'i'),
			current_setting('is_superuser') = 'on'
		FROM pg_database d
		WHERE d.datname = current_database()`).
		Scan(&d.info.Version, &d.version, &schema, &encoding, &d.byBytes, &d.alone)
	switch {
	case err != nil:
		return err
	case d.version < oldest:
		return fmt.Errorf("the server is PostgreSQL %s; the engine needs 14 or later", d.info.Version)
	case encoding != "UTF8":
		return fmt.Errorf("the encoding is %s; the engine moves UTF8 only: convert the database first", encoding)
	case schema == nil:
		return errors.New("no schema of the search_path exists: create it, or name another one in the DSN (search_path=…)")
	}
	d.schema = *schema
	return d.mayReplicate(ctx)
}

// mayReplicate checks the one right that tables do not give.
func (d *DB) mayReplicate(ctx context.Context) error {
	_, err := d.pool.Exec(ctx, `SET session_replication_role = 'replica'; RESET session_replication_role`)
	if isCode(err, codePrivilege) {
		return fmt.Errorf("this role may not set session_replication_role, which keeps foreign keys and triggers from answering the engine: GRANT SET ON PARAMETER session_replication_role TO it (PostgreSQL 15), or use a superuser: %w", err)
	}
	return err
}

// Info says which database this is.
func (d *DB) Info() dialect.Info { return d.info }

// Close closes every session.
func (d *DB) Close() error {
	d.pool.Close()
	d.fuse.Close()
	return nil
}

// Usage tells how large the database is. What is free on the server's disk the server
// does not say.
func (d *DB) Usage(ctx context.Context) (dialect.Usage, error) {
	u := dialect.Usage{Free: -1}
	err := d.pool.QueryRow(ctx, `SELECT pg_database_size(current_database())`).Scan(&u.Bytes)
	return u, explain(err)
}

// with lends do a session.
func (d *DB) with(ctx context.Context, do func(*pgx.Conn) error) error {
	return d.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return explain(do(c.Conn())) })
}
