package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

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
