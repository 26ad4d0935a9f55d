// Package pause waits, and lets a context cut the wait short.
package pause

import (
	"context"
	"time"
)

// For waits for d. If ctx ends first it returns the context's error at once.
func For(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
