package postgres

import (
	"context"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// SynchronousCommit is how much the commit of a transaction waits for the disk.
func SynchronousCommit(ctx context.Context, tx dialect.Tx) (level string, err error) {
	err = tx.(*writer).tx.QueryRow(ctx, "SHOW synchronous_commit").Scan(&level)
	return level, err
}
