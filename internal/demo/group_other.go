//go:build !linux

package demo

import "syscall"

// ownGroup keeps Ctrl-C on the terminal away from the process, so that it is stopped
// in order. Only Linux can end it together with a demo that was killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
