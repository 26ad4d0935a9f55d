// Package seed fills an empty shop with a believable past: products, customers,
// orders in every state with all that belongs to them. The same scale and day give
// the same rows, byte for byte. It refuses a shop that has anything in it.
package seed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

// ErrNotEmpty reports a shop that has customers or products already.
var ErrNotEmpty = errors.New("the shop is not empty")

// Options tune Run. The zero value is scale 1, today.
type Options struct {
	Scale int              // 1 (200 products, 250 orders) to 200; 0 means 1
	Now   func() time.Time // the past ends at the beginning of its day (UTC); nil means time.Now
}

// Check names what is wrong with the options, if anything.
func (o Options) Check() error {
	if o.Scale < 0 || o.Scale > 200 {
		return program.Fail(program.Usage, "give a scale from 1 to 200", "seed: scale %d", o.Scale)
	}
	return nil
}

// Run fills db, whose schema must be up to date, in one transaction. It fails with
// ErrNotEmpty, and changes nothing, if there is anybody or anything in the shop.
func Run(ctx context.Context, db *sqlite.DB, opts Options) error {
	if err := opts.Check(); err != nil {
		return err
	}
	if opts.Scale == 0 {
		opts.Scale = 1
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	err := db.Tx(ctx, func(tx *sqlx.Tx) error {
		var used bool
		if err := tx.GetContext(ctx, &used, `
			SELECT EXISTS (SELECT 1 FROM users) OR EXISTS (SELECT 1 FROM products)
				OR EXISTS (SELECT 1 FROM coupons) OR EXISTS (SELECT 1 FROM carts)`); err != nil {
			return fmt.Errorf("seed: %w", err)
		}
		if used {
			return program.Fail(program.Usage, "give the path of a new database, or delete this one first", "seed: %w", ErrNotEmpty)
		}
		w := newWorld(opts.Scale, opts.Now().UTC().Truncate(24*time.Hour))
		w.live()
		return w.write(ctx, tx)
	})
	if err != nil {
		return err
	}
	// The log file holds everything twice now: fold it in.
	if _, err := db.Writer().ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return fmt.Errorf("seed: fold in the log: %w", err)
	}
	return nil
}
