package shoptest

import "syscall"

// bound makes a process end with the test program that started it, however that ends.
func bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
