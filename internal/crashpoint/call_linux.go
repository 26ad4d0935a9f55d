package crashpoint

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A call is a system call of a thread that is stopped at it.
type call struct {
	begins bool
	number uint64
	args   [6]uint64
}

// callOf asks the kernel, in a way that is the same for every processor.
func callOf(thread int) (call, error) {
	const (
		getSyscallInfo = 0x420e
		entry          = 1
	)
	var info struct {
		op     uint8
		_      [3]uint8
		arch   uint32
		ip, sp uint64
		number uint64
		args   [6]uint64
	}
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, getSyscallInfo, uintptr(thread), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errors.Is(errno, syscall.EIO) || errors.Is(errno, syscall.ENOSYS) {
		return call{}, fmt.Errorf("%w (%w)", ErrUnsupported, errno)
	}
	if errno != 0 {
		return call{}, errno
	}
	return call{begins: info.op == entry, number: info.number, args: info.args}, nil
}

// changes reports whether the call changes a file below a path, or makes it last.
func (c call) changes(thread int, under string) bool {
	var path string
	switch c.number {
	case unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE:
		path, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", thread, int32(c.args[0])))
	case unix.SYS_UNLINKAT, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		path = text(thread, uintptr(c.args[1]))
	default:
		path = text(thread, c.path())
	}
	return strings.HasPrefix(path, under) && strings.HasPrefix(path, "/")
}

// text reads a text of a program.
func text(thread int, at uintptr) string {
	var b [1024]byte
	if at == 0 {
		return ""
	}
	n, err := syscall.PtracePeekData(thread, at, b[:])
	if n == 0 && err != nil {
		return ""
	}
	s, _, _ := strings.Cut(string(b[:n]), "\x00")
	return s
}
