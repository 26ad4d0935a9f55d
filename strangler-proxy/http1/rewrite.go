package http1

// AppendHead appends the head that goes to an upstream: the request line with the
// target in origin form, the lines that bear none of the marks as they are, the added
// lines, and what a proxy says anew for its own connection: that it speaks WebSocket
// or takes trailers if the client does. The added lines are whole, each with its CR LF;
// a Host must be among them if there is none or it bears one of the marks.
func (r *Request) AppendHead(dst []byte, drop Marks, added []byte) []byte {
	if r.Authority == nil {
		dst = append(dst, r.buf[:r.target]...)
	} else {
		dst = append(dst, r.Method...)
		dst = append(dst, ' ')
		if len(r.Path) == 0 {
			dst = append(dst, '/')
		}
		dst = append(dst, r.buf[r.path:r.target]...)
	}
	dst = append(dst, " HTTP/1.1\r\n"...)
	dst = r.AppendFields(dst, drop)
	dst = append(dst, added...)
	if r.hosts == 0 && r.Authority != nil && drop&HostName == 0 {
		dst = AppendField(dst, "Host", r.Authority)
	}
	if r.WebSocket {
		dst = append(dst, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	}
	if r.AcceptsTrailers {
		dst = append(dst, "TE: trailers\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// AppendHead appends the head that goes to a client: the status line in a version of
// HTTP/1, the lines that bear none of the marks as they are, the added lines and, with
// status 101, that the proxy speaks WebSocket. The added lines are whole, each with its
// CR LF.
func (r *Response) AppendHead(dst []byte, minor int, drop Marks, added []byte) []byte {
	dst = append(dst, "HTTP/1."...)
	dst = append(dst, '0'+byte(minor))
	dst = append(dst, r.buf[len("HTTP/1.1"):r.first]...)
	dst = r.AppendFields(dst, drop)
	dst = append(dst, added...)
	if r.Framing == Tunnel {
		dst = append(dst, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// AppendField appends one line. The value must be free of control bytes, as all values
// are that were parsed.
func AppendField[Value ~string | ~[]byte](dst []byte, name string, value Value) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}
