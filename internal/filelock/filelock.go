// Package filelock keeps two processes from using one file at a time. A lock belongs
// to the open file: it ends when that is closed, also by the end of the process, so
// nothing is left behind by a crash. It binds only programs that ask for it, and on
// systems without flock it binds nobody. A *BusyError says who was waited for in vain.
package filelock

import "errors"

// ErrHeld reports that another process holds the lock.
var ErrHeld = errors.New("another process uses it")
