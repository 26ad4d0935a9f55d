package sqlite

import "context"

// Synchronous is how much the next commit of the writer waits for the disk.
func (d *Database) Synchronous(ctx context.Context) (level int, err error) {
	err = d.guest.Writer.GetContext(ctx, &level, `PRAGMA main.synchronous`)
	return level, err
}

// Synchronous is how much the commit of this transaction waits for the disk.
func (t *Tx) Synchronous(ctx context.Context) (level int, err error) {
	err = t.tx.GetContext(ctx, &level, `PRAGMA main.synchronous`)
	return level, err
}
