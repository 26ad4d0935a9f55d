//go:build unix

package filelock

import (
	"errors"
	"os"
	"syscall"
)

// Exclusive takes the lock of f for this open file alone, or returns ErrHeld.
func Exclusive(f *os.File) error { return try(f, syscall.LOCK_EX) }

// Shared takes the lock of f together with others who share it, or returns ErrHeld.
func Shared(f *os.File) error { return try(f, syscall.LOCK_SH) }

func try(f *os.File, how int) error {
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrHeld
	}
	return err
}
