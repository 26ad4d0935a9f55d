package filelock

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// A BusyError reports that a lock did not become free in time.
type BusyError struct {
	Path   string
	Holder string        // who has it, as far as the system tells; may be empty
	Waited time.Duration // for so long
	Remedy string
}

func (e *BusyError) Error() string {
	holder := "another process"
	if e.Holder != "" {
		holder = e.Holder
	}
	return fmt.Sprintf("%s is held by %s, for at least %s", e.Path, holder, e.Waited.Round(100*time.Millisecond))
}

// Unwrap makes a BusyError an ErrHeld.
func (e *BusyError) Unwrap() error { return ErrHeld }

// WaitFor takes the lock of f as Wait does, or fails with a *BusyError after limit. path
// is what the user knows f as.
func WaitFor(f *os.File, path string, limit time.Duration) error {
	began := time.Now()
	for pause := time.Millisecond / 2; ; pause = min(2*pause, longestNap) {
		err := Exclusive(f)
		switch {
		case !errors.Is(err, ErrHeld):
			return err
		case time.Since(began) >= limit:
			return Busy(f, path, time.Since(began))
		}
		time.Sleep(pause)
	}
}

// Busy says who holds the lock of f that was waited for in vain.
func Busy(f *os.File, path string, waited time.Duration) *BusyError {
	e := &BusyError{Path: path, Waited: waited, Remedy: "try again"}
	pid := holderOf(f)
	if pid == 0 {
		return e
	}
	name, stopped := describe(pid)
	e.Holder = fmt.Sprintf("process %d (%s)", pid, name)
	if stopped {
		e.Holder = fmt.Sprintf("process %d (%s), which is stopped", pid, name)
		e.Remedy = fmt.Sprintf("let it go on with kill -CONT %d, or end it", pid)
	}
	return e
}
