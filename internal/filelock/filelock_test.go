package filelock_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
)

func TestOneHolderAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	first, second := open(), open()
	if err := filelock.Exclusive(first); err != nil {
		t.Fatal(err)
	}
	if err := filelock.Exclusive(second); !errors.Is(err, filelock.ErrHeld) {
		t.Fatalf("the second holder got %v, want ErrHeld", err)
	}
	if err := filelock.Shared(second); !errors.Is(err, filelock.ErrHeld) {
		t.Fatalf("sharing with an exclusive holder gave %v, want ErrHeld", err)
	}
	first.Close()
	if err := filelock.Shared(second); err != nil {
		t.Fatalf("the lock outlived its file: %v", err)
	}
	if err := filelock.Shared(open()); err != nil {
		t.Fatalf("two could not share: %v", err)
	}
}

func TestWaitTakesTheLockOnceItIsFree(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	holder, waiter := open(), open()
	if err := filelock.Wait(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := filelock.Wait(ctx, waiter); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("waiting for a held lock gave %v, want the context's end", err)
	}
	got := make(chan error, 1)
	go func() { got <- filelock.Wait(t.Context(), waiter) }()
	holder.Close()
	if err := <-got; err != nil {
		t.Fatalf("the lock was free, but %v", err)
	}
	if err := filelock.Exclusive(open()); !errors.Is(err, filelock.ErrHeld) {
		t.Fatalf("a third got %v although the waiter holds the lock", err)
	}
}
