// Package http1 reads the heads and frames the bodies of HTTP/1.1 messages for the
// proxy, strictly and without allocating.
//
// A [Request] or [Response] parses the head at the front of one buffer, as far as it
// has arrived, and goes on where it stopped when more is there. Fields are marked by
// their offsets; everything a proxy must know about them (host, framing, connection
// options, upgrade, what must not pass) is found in the same pass. AppendHead writes
// the head that goes on: the lines that stay, byte by byte, and the lines that are
// added. A [Body] then says which of the bytes that follow belong to the message.
//
// It promises that whatever it accepts, net/http accepts with the same meaning and
// the same length, that the pieces in which bytes arrive make no difference, that
// only bytes it has checked are handed on, and that the time it takes is linear in
// the number of bytes.
//
// It refuses everything on which two parsers might disagree: line ends other than
// CRLF, folded lines, white space before a colon or around a length, control bytes,
// repeated or contradicting Content-Length, Transfer-Encoding and Host, codings other
// than chunked, signs and prefixes in numbers, unbounded anything. It does not
// decide where a request goes, does not decode or clean paths, and does no I/O.
package http1

// Limits of a head. The zero value is fit for production.
type Limits struct {
	TargetBytes int // longest request target; 0 means 16 KiB
	HeaderBytes int // of all field lines with the empty line that ends them; 0 means 64 KiB
	Fields      int // number of field lines; 0 means 128
}

const (
	defaultTargetBytes = 16 << 10
	defaultHeaderBytes = 64 << 10
	defaultFields      = 128

	limitMethod  = 64      // bytes
	limitReason  = 1 << 10 // bytes of a status line after the status
	limitOptions = 32      // in all Connection fields of a message

	limitDigits         = 16      // of a chunk's size, leading zeros included
	limitExtension      = 256     // bytes on one chunk's line
	limitExcess         = 8 << 10 // bytes of chunk framing beyond twice the data
	limitTrailer        = 4 << 10 // bytes of all trailer lines with the empty line
	limitTrailers       = 64
	limitLengthDigits   = 18
	limitHostBytes      = 255
	versionBytes        = len("HTTP/1.1\r\n")
	statusPrefixBytes   = len("HTTP/1.1 200")
	shortestSchemeBytes = len("http://")
)

// A Framing tells where a message's body ends.
type Framing uint8

// The ways in which a body ends.
const (
	NoBody     Framing = iota // with the head
	ByLength                  // after ContentLength bytes
	ByChunks                  // with the last chunk and its trailer
	UntilClose                // with the connection; responses only
	Tunnel                    // never: both sides speak another protocol from here on; 101 only
)
