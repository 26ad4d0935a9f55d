//go:build !unix

package filelock

import "os"

// Exclusive does nothing on this system.
func Exclusive(*os.File) error { return nil }

// Shared does nothing on this system.
func Shared(*os.File) error { return nil }
