package listen

import (
	"net"

	"golang.org/x/sys/unix"
)

// limitUnsent is up to how many bytes the system takes for a client before they can be
// sent. Without it, it keeps megabytes for each one that reads slowly: a thousand of
// them use up the memory that all connections of the machine share, and then everybody
// waits. What is on its way to a fast client is not counted, so none gets less.
const limitUnsent = 128 << 10

// boundUnsent sets the limit for a connection. A listener does not hand it down: what
// net.Listen opens is one of MPTCP. Where it cannot be set all is as it was.
func boundUnsent(conn *net.TCPConn) {
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, limitUnsent)
		})
	}
}
