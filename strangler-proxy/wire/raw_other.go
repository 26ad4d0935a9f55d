//go:build !linux

package wire

import (
	"net"
	"syscall"
)

// Raw reports whether a connection can be read and written at its socket: never here.
func Raw(net.Conn) (syscall.RawConn, bool) { return nil, false }

// ReadSocket is not called where Raw is false.
func ReadSocket(uintptr, []byte) (int, error) { return 0, syscall.ENOSYS }

// WriteSocket is not called where Raw is false.
func WriteSocket(uintptr, []byte) (int, error) { return 0, syscall.ENOSYS }
