package wire

import (
	"net"
	"syscall"
	"unsafe"
)

// Raw reports whether a connection can be read and written at its socket.
//
// net.Conn asks the kernel twice for each message: once in vain, then it waits, then
// again. Whoever holds one callback of RawConn.Read for as long as it lives never loses
// a notice of the poller, so it can wait first and read once.
func Raw(conn net.Conn) (syscall.RawConn, bool) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, false
	}
	raw, err := tcp.SyscallConn()
	return raw, err == nil
}

// ReadSocket reads what is there. It does not wait: the error then is syscall.EAGAIN.
// The socket must be one that never blocks, as all of package net are.
func ReadSocket(fd uintptr, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, syscall.EAGAIN
		}
		return 0, errno
	}
}

// WriteSocket writes what there is room for. It does not wait.
func WriteSocket(fd uintptr, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, syscall.EAGAIN
		}
		return 0, errno
	}
}
