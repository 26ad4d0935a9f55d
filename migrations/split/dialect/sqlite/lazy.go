package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

var _ dialect.Lazy = (*Database)(nil)

// BeginLazily is Begin with a commit that does not wait for the disk, if the file is in WAL
// mode: there it damages nothing, and the next commit that waits carries this one along.
func (d *Database) BeginLazily(ctx context.Context, m dialect.Move) (dialect.Tx, error) {
	return d.begin(ctx, m, true)
}

// lazyTx begins to write on the writer, or lazily; end gives it back.
func (d *Database) lazyTx(ctx context.Context) (tx *sqlx.Tx, end func(), err error) {
	conn, err := d.guest.Writer.Connx(ctx)
	if err != nil {
		return nil, func() {}, err
	}
	restore, err := relax(ctx, conn)
	if err == nil {
		tx, err = conn.BeginTxx(ctx, nil)
	}
	end = sync.OnceFunc(func() {
		restore()
		conn.Close() //nolint:errcheck // it only goes back to its pool
	})
	if err != nil {
		end()
	}
	return tx, end, err
}

// relax lets commits of a connection not wait for the disk until restore is called.
func relax(ctx context.Context, conn *sqlx.Conn) (restore func(), err error) {
	var mode string
	if err := conn.GetContext(ctx, &mode, `PRAGMA main.journal_mode`); err != nil || mode != "wal" {
		return func() {}, err
	}
	_, err = conn.ExecContext(ctx, `PRAGMA main.synchronous = NORMAL`)
	return func() {
		if _, err := conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA main.synchronous = FULL`); err != nil {
			conn.Raw(func(any) error { return errors.Join(err, driver.ErrBadConn) }) //nolint:errcheck // nobody may rely on it any more
		}
	}, err
}
