package wire

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Left reports whether the other side has ended its half of the connection, whatever
// it sent before: with a request open, that is how clients leave.
func Left(conn net.Conn) bool {
	gone := false
	ok := onSocket(conn, func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(poll, 0)
		gone = err == nil && n == 1 && poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || !ok
}

// Ended reports whether nothing can come from a connection any more, or something
// came that nobody has asked for: a kept connection must be silent.
func Ended(conn net.Conn) bool {
	over := false
	ok := onSocket(conn, func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		over = !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
	})
	return over || !ok
}

// onSocket calls f with the socket below conn. It reports false if there is none or it
// is closed.
func onSocket(conn net.Conn, f func(fd uintptr)) bool {
	socket, ok := innermost(conn).(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	return err == nil && raw.Control(f) == nil
}
