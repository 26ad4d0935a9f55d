package shadow

import (
	"bytes"
	"net/http"
	"strconv"
)

// Marker is the header that a copy bears and nothing else.
const Marker = "X-Strangler-Shadow"

// copyHead appends to dst the head of a copy: the same lines, with the marker, and the
// length of the body in place of its framing.
func copyHead(dst, head []byte, body int) []byte {
	framed := false
	for i, line := range headLines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case i == 0:
		case equalFold(name, "Transfer-Encoding"):
			framed = true
			continue
		case equalFold(name, "Content-Length") && string(bytes.TrimSpace(value)) != strconv.Itoa(body),
			equalFold(name, "Trailer"), equalFold(name, "Expect"), equalFold(name, Marker):
			continue
		}
		dst = append(append(dst, line...), "\r\n"...)
	}
	if framed {
		dst = append(dst, "Content-Length: "...)
		dst = append(strconv.AppendInt(dst, int64(body), 10), "\r\n"...)
	}
	return append(dst, Marker+": 1\r\n\r\n"...)
}

// headLines yields the lines of a head up to the empty one, without their ends.
func headLines(head []byte) func(yield func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		for i := 0; len(head) > 0; i++ {
			line, rest, _ := bytes.Cut(head, []byte("\n"))
			line = bytes.TrimSuffix(line, []byte("\r"))
			if len(line) == 0 || !yield(i, line) {
				return
			}
			head = rest
		}
	}
}

func equalFold(name []byte, want string) bool {
	return len(name) == len(want) && bytes.EqualFold(name, []byte(want))
}

// requestTarget returns the target of a head's request line.
func requestTarget(head []byte) string {
	_, rest, _ := bytes.Cut(head, []byte(" "))
	target, _, _ := bytes.Cut(rest, []byte(" "))
	return string(target)
}

// requestFields returns the fields of a request's head.
func requestFields(head []byte) http.Header {
	fields := http.Header{}
	for i, line := range headLines(head) {
		if i == 0 {
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		fields.Add(string(name), string(bytes.TrimSpace(value)))
	}
	return fields
}
