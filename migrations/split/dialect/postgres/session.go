package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// settings make the text of a value the same on every server, whatever the role, the
// database or the server says, and keep the engine's sessions from being ended for
// idling.
var settings = map[string]string{
	"DateStyle":                           "ISO, YMD",
	"IntervalStyle":                       "postgres",
	"TimeZone":                            "UTC",
	"bytea_output":                        "hex",
	"extra_float_digits":                  "3",
	"xmlbinary":                           "base64",
	"lc_monetary":                         "C",
	"client_encoding":                     "UTF8",
	"default_transaction_isolation":       "read committed",
	"default_transaction_read_only":       "off",
	"idle_in_transaction_session_timeout": "0",
	"statement_timeout":                   "0",
	"row_security":                        "off", // a policy fails the read; it must not thin it out
}

// prepareConfig makes a session one of the engine's.
func prepareConfig(config *pgx.ConnConfig, application string) {
	for k, v := range settings {
		config.RuntimeParams[k] = v
	}
	config.RuntimeParams["application_name"] = application
	// The tables change under the engine (that is its work), so nothing is remembered
	// about a statement beyond its end.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
}

// Codes of the server that the engine acts upon.
const (
	codeLockTimeout = "55P03" // lock_not_available
	codeDeadlock    = "40P01"
	codeUnique      = "23505"
	codePrivilege   = "42501"
	codeNoTable     = "42P01"
	codeNoColumn    = "42703"
	codeCanceled    = "57014" // query_canceled
	codeDiskFull    = "53100"
)

// isCode reports whether the server refused with one of these codes.
func isCode(err error, codes ...string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}

// IsAway reports whether an error says that the server went away, or is not there yet: it
// was restarted, failed over, ended the session, or the network between is gone. What was
// to be done was done or not; who asks again finds out.
func IsAway(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case "57P01", "57P02", "57P03", "57P05", "53300": // shutdown, crash, start-up, idle session, too many sessions
			return true
		case "25006": // read_only_sql_transaction: a stand-by, until it is promoted
			return true
		}
		return strings.HasPrefix(e.Code, "08") // connection exceptions
	}
	var dial *pgconn.ConnectError
	var network *net.OpError
	return errors.As(err, &dial) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pgconn.ErrConnClosed)
}

// explain lets the engine recognise what it can act upon.
func explain(err error) error {
	switch {
	case isCode(err, codeLockTimeout, codeDeadlock) && !errors.Is(err, dialect.ErrBusy):
		return fmt.Errorf("%w: %w", dialect.ErrBusy, err)
	case isCode(err, codeDiskFull) && !errors.Is(err, dialect.ErrFull):
		return fmt.Errorf("%w: %w", dialect.ErrFull, err)
	}
	return err
}

// Locks are asked for in short attempts: who waits for a lock on a table holds up all
// who come later, the application among them. Between attempts the engine steps aside
// for a random while, so that two who met once do not meet again.
const (
	lockAttempt  = 100 * time.Millisecond
	lockAttempts = 50
	lockPause    = 200 * time.Millisecond
)

// withLocks runs do in a transaction whose locks are taken in short attempts, and again
// until it got them.
func (d *DB) withLocks(ctx context.Context, what string, do func(pgx.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := d.with(ctx, func(c *pgx.Conn) error {
			return inTx(ctx, c, pgx.TxOptions{}, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", lockAttempt.Milliseconds())); err != nil {
					return err
				}
				return do(tx)
			})
		})
		switch {
		case !errors.Is(err, dialect.ErrBusy):
			return err
		case attempt == lockAttempts:
			return fmt.Errorf("%s: no lock in %d attempts of %s: a long transaction uses the table; wait for its end, or end it: %w",
				what, attempt, lockAttempt, err)
		}
		if err := pause.For(ctx, lockPause/2+rand.N(lockPause)); err != nil {
			return err
		}
	}
}

// inTx runs do in a transaction.
func inTx(ctx context.Context, c *pgx.Conn, opts pgx.TxOptions, do func(pgx.Tx) error) error {
	tx, err := c.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		rollback(ctx, tx)
		return err
	}
	return tx.Commit(ctx)
}

// rollback reaches the server although ctx may have ended. A session that is lost has
// rolled back by itself.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = tx.Rollback(ctx)
}

// execAll runs statements one after the other.
func execAll(ctx context.Context, tx pgx.Tx, statements []string) error {
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", firstLine(s), err)
		}
	}
	return nil
}

func firstLine(s string) string {
	for i, r := range s {
		if r == '\n' || i > 100 {
			return s[:i] + " …"
		}
	}
	return s
}
