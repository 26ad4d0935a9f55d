package http1

import (
	"bytes"
	"net/netip"
)

// validHost takes a name, an IPv4 address or an IPv6 address in brackets, and a port
// behind a colon. Names hold letters, digits and - . _ ~ only: no user, no encoded
// bytes, no list.
func validHost(b []byte) bool {
	if len(b) == 0 || len(b) > limitHostBytes {
		return false
	}
	end := 0
	if b[0] == '[' {
		end = bytes.IndexByte(b, ']') + 1
		if end < 2 || !validIPv6(b[1:end-1]) {
			return false
		}
	} else {
		for end < len(b) && hostBytes[b[end]] {
			end++
		}
	}
	return end > 0 && validPort(b[end:])
}

func validIPv6(b []byte) bool {
	for _, c := range b {
		if !isHex(c) && c != ':' && c != '.' { // no zone, above all
			return false
		}
	}
	address, err := netip.ParseAddr(string(b))
	return err == nil && address.Is6()
}

// validPort takes nothing, or a colon and a number up to 65535.
func validPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' || len(b) < 2 || len(b) > len(":65535") {
		return false
	}
	port := 0
	for _, c := range b[1:] {
		if !isDigit(c) {
			return false
		}
		port = port*10 + int(c-'0')
	}
	return port <= 65535
}
