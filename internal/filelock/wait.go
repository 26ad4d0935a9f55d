package filelock

import (
	"context"
	"errors"
	"os"
	"time"
)

// longestNap is how long Wait sleeps at most between two attempts.
const longestNap = 10 * time.Millisecond

// Wait takes the lock of f for this open file alone, as soon as nobody else holds it.
// It fails with the context's error when that ends before.
func Wait(ctx context.Context, f *os.File) error {
	nap := time.NewTimer(0)
	defer nap.Stop()
	for pause := time.Millisecond / 2; ; pause = min(2*pause, longestNap) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-nap.C:
		}
		if err := Exclusive(f); !errors.Is(err, ErrHeld) {
			return err
		}
		nap.Reset(pause)
	}
}
