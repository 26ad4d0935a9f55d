package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	driver "github.com/mattn/go-sqlite3"
)

// copyPatience is how long Copy waits for those who use the target.
const copyPatience = 30 * time.Second

// Copy puts the contents of the database file from into the database file to, which is made if need
// be. It reads one snapshot, with what stands in the write-ahead log, and writes one
// transaction: programs that have either file open go on, and see all of the new contents or
// none. The file itself stays the one that they opened. It fails, and changes nothing, while
// somebody keeps the target locked for half a minute, or if it is in WAL mode and its pages
// are of another size.
func Copy(ctx context.Context, from, to string) error {
	if err := errors.Join(checkPath(from), checkPath(to)); err != nil {
		return err
	}
	one, oneErr := os.Stat(from)
	other, otherErr := os.Stat(to)
	if oneErr != nil {
		return oneErr
	}
	if otherErr == nil && os.SameFile(one, other) {
		return fmt.Errorf("%s and %s are the same file", from, to)
	}
	return onConn(ctx, from, "mode=ro&_busy_timeout=5000", func(source *driver.SQLiteConn) error {
		return onConn(ctx, to, "mode=rwc&_busy_timeout=100", func(target *driver.SQLiteConn) error {
			if err := backup(ctx, source, target); err != nil {
				return Explain(to, err)
			}
			return nil
		})
	})
}

// onConn opens a file and calls do with the connection.
func onConn(ctx context.Context, path, options string, do func(*driver.SQLiteConn) error) error {
	db, err := sql.Open("sqlite3", FileURI(path)+"?"+options)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return Explain(path, err)
	}
	defer conn.Close()
	var tables int
	if err := conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master`).Scan(&tables); err != nil {
		return Explain(path, err) // no database, or not readable
	}
	return conn.Raw(func(c any) error { return do(c.(*driver.SQLiteConn)) })
}

func backup(ctx context.Context, source, target *driver.SQLiteConn) error {
	b, err := target.Backup("main", source, "main")
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, copyPatience)
	defer cancel()
	for {
		done, err := b.Step(-1) // not done and no error: somebody has a lock
		if done {
			return b.Finish()
		}
		if err != nil {
			return errors.Join(err, b.Close())
		}
		select {
		case <-wait.Done():
			return errors.Join(ctx.Err(), driver.Error{Code: driver.ErrBusy}, b.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
