//go:build !linux

package wire

import "net"

// Left leaves it to the next read or write to notice.
func Left(net.Conn) bool { return false }

// Ended leaves it to the next read or write to notice.
func Ended(net.Conn) bool { return false }
