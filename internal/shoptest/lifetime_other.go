//go:build !linux

package shoptest

import "syscall"

// bound has nothing to offer here: a killed test program may leave its processes behind.
func bound() *syscall.SysProcAttr { return nil }
