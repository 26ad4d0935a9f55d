//go:build linux

package crashpoint

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// canFail reports whether a call can be made to fail on this processor.
const canFail = true

// skip lets the call that a thread is about to make be none.
func skip(thread int) error {
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(thread, &r); err != nil {
		return err
	}
	r.Orig_rax = ^uint64(0)
	return syscall.PtraceSetRegs(thread, &r)
}

// result lets a call that was skipped return an error.
func result(thread, errno int) error {
	var r syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(thread, &r); err != nil {
		return err
	}
	r.Rax = uint64(-int64(errno))
	return syscall.PtraceSetRegs(thread, &r)
}

// path is where the path stands of a call that newer processors know only with a folder.
func (c call) path() uintptr {
	switch c.number {
	case unix.SYS_UNLINK, unix.SYS_RENAME, unix.SYS_TRUNCATE:
		return uintptr(c.args[0])
	}
	return 0
}
