package record

import "syscall"

// ownGroup puts a command into a process group of its own, which ends with the recorder
// even if that is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
