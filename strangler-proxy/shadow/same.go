package shadow

import (
	"bytes"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

// same reports whether the copy's answer is the primary one byte by byte, but for when it
// was given. Such a pair has no difference for any differ, and needs no memory to tell.
func (t *Ticket) same(copied *Answer) bool {
	mine := &t.primary
	if mine.Status != copied.Status || copied.Truncated || copied.Framed || !sameLines(mine.Fields, copied.Fields, t.route.dated) {
		return false
	}
	if !mine.Framed {
		return bytes.Equal(mine.Body, copied.Body)
	}
	return sameData(mine.Body, copied.Body)
}

// sameData reports whether the data of a chunked body is plain.
func sameData(framed, plain []byte) bool {
	var body http1.Body
	(&http1.Response{Framing: http1.ByChunks}).BeginBody(&body, true)
	for !body.Done() {
		data, n, err := body.Step(framed)
		if err != nil || n == 0 || !bytes.HasPrefix(plain, data) {
			return false
		}
		framed, plain = framed[n:], plain[len(data):]
	}
	return len(plain) == 0
}

// sameLines compares the lines of two heads. Where they are not dated, the time of an
// answer does not count.
func sameLines(a, b []byte, dated bool) bool {
	for len(a) > 0 && len(b) > 0 {
		var x, y []byte
		x, a, _ = bytes.Cut(a, []byte("\n"))
		y, b, _ = bytes.Cut(b, []byte("\n"))
		if !bytes.Equal(x, y) && (dated || !isDate(x) || !isDate(y)) {
			return false
		}
	}
	return len(a)+len(b) == 0
}

func isDate(line []byte) bool {
	name, _, _ := bytes.Cut(line, []byte(":"))
	return equalFold(name, "Date")
}
