package http1

// A Response is the head of a response, parsed in place. Its zero value is ready for
// the response to any request but HEAD. The slices are views into the buffer and hold
// until it changes. A Response is not for several goroutines at once.
type Response struct {
	Limits Limits // kept by Reset; TargetBytes does not matter

	Fields
	Status        int    // 100 to 999
	Reason        []byte // behind the status
	Minor         int    // HTTP/1.0 or HTTP/1.1
	Framing       Framing
	ContentLength int64 // as the field says, whether or not a body follows; -1: not said
	Len           int   // bytes of the head

	KeepAlive bool // the upstream will take another request behind this response
	Interim   bool // another response follows, with a status other than 1xx

	toHead bool
	stage  stage
	at     int
	reason int // where the reason ends
	failed *Error
}

// Reset makes ready for the next response, which answers a HEAD request or not.
func (r *Response) Reset(toHead bool) {
	limits, list := r.Limits, r.list
	*r = Response{} // in place, as with a Request
	r.Limits, r.list, r.toHead = limits, list[:0], toHead
}

// Parse reads on in buf, which holds all bytes from the beginning of the response that
// have arrived so far; it may lie elsewhere than at the last call. It reports whether
// the head is complete. Len then says where the body begins. The error is an *Error
// and stays.
func (r *Response) Parse(buf []byte) (bool, error) {
	if r.failed != nil {
		return false, r.failed
	}
	if r.stage == complete {
		return true, nil
	}
	reason := r.parse(buf)
	if reason != 0 {
		at := r.at
		if r.stage == inFields {
			at = r.Fields.at
		}
		r.failed = &Error{Reason: reason, Offset: int64(at), Response: true}
		return false, r.failed
	}
	return r.stage == complete, nil
}

func (r *Response) parse(buf []byte) Reason {
	if r.stage < inFields {
		whole, reason := r.parseStatusLine(buf)
		if reason != 0 || !whole {
			return reason
		}
		r.stage = inFields
		r.begin(r.at)
	}
	done, reason := r.scan(buf, r.Limits)
	if !done || reason != 0 {
		return reason
	}
	return r.finish(buf)
}

// parseStatusLine reads "HTTP/1.1 200", perhaps with a space and a reason.
func (r *Response) parseStatusLine(b []byte) (whole bool, _ Reason) {
	for ; r.at < min(len(b), statusPrefixBytes); r.at++ {
		var good bool
		switch want := "HTTP/d.d 1dd"[r.at]; want {
		case 'd':
			good = isDigit(b[r.at])
		case '1':
			good = isDigit(b[r.at]) && b[r.at] != '0'
		default:
			good = b[r.at] == want
		}
		if !good {
			return false, BadStatusLine
		}
	}
	if len(b) <= statusPrefixBytes {
		return false, 0
	}
	switch {
	case b[5] != '1' || b[7] > '1':
		return false, UnknownVersion
	case r.at == statusPrefixBytes && b[r.at] != ' ' && b[r.at] != '\r':
		return false, BadStatusLine
	}
	const limit = statusPrefixBytes + limitReason
	r.at = endOfText(b[:min(len(b), limit+1)], r.at)
	switch {
	case r.at > limit:
		return false, BadStatusLine
	case r.at == len(b):
		return false, 0
	case b[r.at] != '\r' && b[r.at] != '\n':
		return false, BadStatusLine
	case b[r.at] == '\n':
		return false, BadLineEnd
	case r.at+1 == len(b):
		return false, 0
	case b[r.at+1] != '\n':
		return false, BadLineEnd
	}
	r.reason = r.at
	r.at += 2
	r.Minor = int(b[7] - '0')
	r.Status = int(b[9]-'0')*100 + int(b[10]-'0')*10 + int(b[11]-'0')
	return true, 0
}

// finish judges the response as a whole.
func (r *Response) finish(b []byte) Reason {
	end := r.Fields.at
	if reason := r.collect(true); reason != 0 {
		return reason
	}
	if r.codings > 0 && r.Minor == 0 {
		return CodingInHTTP10
	}
	if r.reason > statusPrefixBytes {
		r.Reason = b[statusPrefixBytes+1 : r.reason]
	}
	r.ContentLength = r.length
	r.KeepAlive = !r.close && (r.Minor > 0 || r.keepAlive)
	r.Interim = r.Status < 200 && r.Status != 101
	if reason := r.frame(); reason != 0 {
		return reason
	}
	r.Len, r.stage = end, complete
	return 0
}

// frame applies RFC 9112, 6.3.
func (r *Response) frame() Reason {
	saysBody := r.codings > 0 || r.length > 0
	switch {
	case r.Status < 200:
		if saysBody {
			return InterimBody
		}
		r.dropFraming()
		if r.Status == 101 {
			if !r.websocket || !r.upgradeOption {
				return UnknownUpgrade
			}
			r.Framing, r.KeepAlive = Tunnel, false
		}
	case r.Status == 204:
		// What old applications send behind it in spite of all is not the next response.
		r.KeepAlive = r.KeepAlive && !saysBody
		r.dropFraming()
	case r.Status == 304 || r.toHead:
	case r.codings > 0:
		r.Framing = ByChunks
	case r.lengths > 0:
		r.Framing = ByLength
	default:
		r.Framing, r.KeepAlive = UntilClose, false
	}
	return 0
}

// dropFraming marks the fields that a message without a body must not have.
func (r *Response) dropFraming() {
	for i := range r.list {
		if r.list[i].marks&Framed != 0 {
			r.list[i].marks |= HopByHop
		}
	}
}
