package http1

import (
	"encoding/binary"
	"math/bits"
)

// tokenBytes are the bytes of methods, field names and options (RFC 9110, 5.6.2).
var tokenBytes = byteSet("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

// hostBytes are the bytes of host names that the proxy takes.
var hostBytes = byteSet("-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

func byteSet(members string) (set [256]bool) {
	for i := range len(members) {
		set[members[i]] = true
	}
	return set
}

// endOfToken returns the index of the first byte from i on that is in no token.
func endOfToken(b []byte, i int) int {
	for i < len(b) && tokenBytes[b[i]] {
		i++
	}
	return i
}

const (
	each01 = 0x0101010101010101
	each80 = 0x8080808080808080
)

// endOfText returns the index of the first control byte from i on; a tab is text.
func endOfText(b []byte, i int) int {
	for {
		i = firstBelow(b, i, ' ')
		if i == len(b) || b[i] != '\t' {
			return i
		}
		i++
	}
}

// endOfTarget returns the index of the first space or control byte from i on.
func endOfTarget(b []byte, i int) int { return firstBelow(b, i, ' '+1) }

// firstBelow returns the index of the first byte from i on that is smaller than
// limit, which is at most 0x80, or 0x7f. It looks at eight bytes at once: subtracting
// sets the top bit of each small byte, and a borrow can only disturb bytes behind
// the first of them.
func firstBelow(b []byte, i int, limit uint64) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		deletes := x ^ 0x7f*each01
		found := ((x-limit*each01)&^x | (deletes-each01)&^deletes) & each80
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && uint64(b[i]) >= limit && b[i] != 0x7f {
		i++
	}
	return i
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// equalFold compares with a lower-case ASCII word.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range b {
		if lower(b[i]) != word[i] {
			return false
		}
	}
	return true
}

func equalFoldBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

func trim(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// cutElement takes the first element off a comma-separated list.
func cutElement(list []byte) (element, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= lower(c) && lower(c) <= 'f' }
