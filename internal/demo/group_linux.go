package demo

import "syscall"

// ownGroup keeps Ctrl-C on the terminal away from the process, so that it is stopped
// in order, and ends it with the demo, however that ends.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
