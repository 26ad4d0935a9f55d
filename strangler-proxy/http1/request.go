package http1

import (
	"bytes"
	"cmp"
)

// A Request is the head of a request, parsed in place. Its zero value is ready. The
// slices are views into the buffer and hold until it changes. A Request is not for
// several goroutines at once.
type Request struct {
	Limits Limits // kept by Reset

	Fields
	Method        []byte
	Target        []byte // as it was sent
	Path          []byte // of the target, as it was sent; empty only in the absolute form
	Query         []byte // behind the first ?
	Authority     []byte // of a target in absolute form, the same as Host; else nil
	Host          []byte // nil only in HTTP/1.0, which does not ask for it
	HasQuery      bool   // there is a ?
	Minor         int    // HTTP/1.0 or HTTP/1.1
	Framing       Framing
	ContentLength int64 // -1: not said
	Len           int   // bytes of the head

	KeepAlive       bool // the client expects that the connection goes on
	ExpectContinue  bool // the client waits with its body for 100 Continue
	AcceptsTrailers bool // TE: trailers
	WebSocket       bool // the client asks for a WebSocket; any other upgrade is ignored

	stage  stage
	at     int
	method int // where the method ends
	path   int // where the path begins
	query  int // where the target's path ends
	target int // where the target ends
	failed *Error
}

// A stage is the part of a head that is being read.
type stage uint8

const (
	inMethod stage = iota
	inTarget
	inVersion
	inFields
	complete
)

// Reset makes ready for the next request.
func (r *Request) Reset() {
	limits, list := r.Limits, r.list
	*r = Request{} // in place: a filled one would be made on the stack, which idle connections keep
	r.Limits, r.list = limits, list[:0]
}

// Parse reads on in buf, which holds all bytes from the beginning of the request that
// have arrived so far; it may lie elsewhere than at the last call. It reports whether
// the head is complete. Len then says where the body begins. The error is an *Error
// and stays.
func (r *Request) Parse(buf []byte) (bool, error) {
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
		r.failed = &Error{Reason: reason, Offset: int64(at)}
		return false, r.failed
	}
	return r.stage == complete, nil
}

func (r *Request) parse(buf []byte) Reason {
	if r.stage == inMethod {
		if reason := r.parseMethod(buf); reason != 0 || r.stage == inMethod {
			return reason
		}
	}
	if r.stage == inTarget {
		if reason := r.parseTarget(buf); reason != 0 || r.stage == inTarget {
			return reason
		}
	}
	if r.stage == inVersion {
		minor, end, reason := parseVersion(buf, r.at)
		if reason != 0 {
			r.at = end
		}
		if reason != 0 || end == 0 {
			return reason
		}
		r.Minor, r.stage = minor, inFields
		r.begin(end)
	}
	done, reason := r.scan(buf, r.Limits)
	if !done || reason != 0 {
		return reason
	}
	return r.finish(buf)
}

func (r *Request) parseMethod(b []byte) Reason {
	r.at = endOfToken(b[:min(len(b), limitMethod+1)], r.at)
	switch {
	case r.at > limitMethod:
		return LongMethod
	case r.at == len(b):
		return 0
	case b[r.at] != ' ' || r.at == 0:
		return BadMethod
	case string(b[:r.at]) == "CONNECT":
		return ConnectMethod
	}
	r.method = r.at
	r.at++
	r.stage = inTarget
	return 0
}

func (r *Request) parseTarget(b []byte) Reason {
	start := r.method + 1
	limit := start + cmp.Or(r.Limits.TargetBytes, defaultTargetBytes)
	r.at = endOfTarget(b[:min(len(b), limit+1)], r.at)
	switch {
	case r.at > limit:
		return LongTarget
	case r.at == len(b):
		return 0
	case b[r.at] == '\r' || b[r.at] == '\n':
		return BadVersion // HTTP/0.9
	case b[r.at] != ' ' || r.at == start:
		return BadTarget
	}
	r.target = r.at
	if reason := r.splitTarget(b); reason != 0 {
		r.at = start
		return reason
	}
	r.at++
	r.stage = inVersion
	return 0
}

// splitTarget finds path and query, and checks that no server reads them otherwise.
func (r *Request) splitTarget(b []byte) Reason {
	start := r.method + 1
	target := b[start:r.target]
	r.path, r.query = start, r.target
	if target[0] != '/' {
		if reason := r.findAuthority(target); reason != 0 {
			return reason
		}
	}
	if bytes.IndexByte(target, '#') >= 0 {
		return BadTarget
	}
	if q := bytes.IndexByte(b[r.path:r.target], '?'); q >= 0 {
		r.query = r.path + q
	}
	if !validEscapes(b[r.path:r.query]) {
		return BadTarget
	}
	if r.path > start && r.path == r.target && string(b[:r.method]) == "OPTIONS" {
		return AsteriskForm // in disguise (RFC 9112, 3.2.4)
	}
	return 0
}

// findAuthority reads a target that is not in origin form.
func (r *Request) findAuthority(target []byte) Reason {
	if len(target) == 1 && target[0] == '*' {
		return AsteriskForm
	}
	var skip int
	switch {
	case equalFold(target[:min(len(target), shortestSchemeBytes)], "http://"):
		skip = len("http://")
	case equalFold(target[:min(len(target), shortestSchemeBytes+1)], "https://"):
		skip = len("https://")
	default:
		return AuthorityForm
	}
	end := skip
	for end < len(target) && target[end] != '/' && target[end] != '?' {
		end++
	}
	if !validHost(target[skip:end]) {
		return BadAuthority
	}
	r.path = r.method + 1 + end
	return 0
}

// validEscapes reports whether each % begins an encoded byte.
func validEscapes(path []byte) bool {
	for {
		i := bytes.IndexByte(path, '%')
		if i < 0 {
			return true
		}
		if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
			return false
		}
		path = path[i+3:]
	}
}

// parseVersion reads the version and the end of its line at an offset. The end is 0 if
// more bytes are needed, and where it fails if it does.
func parseVersion(buf []byte, at int) (minor, end int, _ Reason) {
	b := buf[at:min(len(buf), at+versionBytes)]
	if string(b) == "HTTP/1.1\r\n" {
		return 1, at + versionBytes, 0
	}
	for i, c := range b {
		switch want := "HTTP/d.d\r\n"[i]; {
		case want == 'd' && isDigit(c) || want != 'd' && want == c:
		case i >= len("HTTP/1.1"):
			return 0, at + i, BadLineEnd
		default:
			return 0, at + i, BadVersion
		}
	}
	if len(b) < versionBytes {
		return 0, 0, 0
	}
	if b[5] != '1' || b[7] > '1' {
		return 0, at, UnknownVersion
	}
	return int(b[7] - '0'), at + versionBytes, 0
}

// finish judges the request as a whole.
func (r *Request) finish(b []byte) Reason {
	end := r.Fields.at
	if reason := r.collect(false); reason != 0 {
		return reason
	}
	start := r.method + 1
	r.Method, r.Target = b[:r.method], b[start:r.target]
	r.Path = b[r.path:r.query]
	if r.query < r.target {
		r.Query, r.HasQuery = b[r.query+1:r.target], true
	}
	if reason := r.findHost(b[start:r.path]); reason != 0 {
		return reason
	}
	if r.codings > 0 && r.Minor == 0 {
		return CodingInHTTP10
	}
	r.understand()
	r.Len, r.stage = end, complete
	return 0
}

// findHost takes the host from its field or, in HTTP/1.0, from the scheme and authority
// before the path; they must not differ.
func (r *Request) findHost(prefix []byte) Reason {
	if r.hosts == 0 && r.Minor > 0 {
		return NoHost
	}
	r.Host = r.host
	if len(prefix) == 0 {
		return 0
	}
	r.Authority = prefix[bytes.IndexByte(prefix, '/')+2:]
	if r.hosts == 0 {
		r.Host = r.Authority
	}
	if !equalFoldBytes(r.Authority, r.Host) {
		return DifferentHost
	}
	return 0
}

// understand says what the facts mean in a request.
func (r *Request) understand() {
	r.ContentLength = r.length
	switch {
	case r.codings > 0:
		r.Framing = ByChunks
	case r.lengths > 0:
		r.Framing = ByLength
	}
	r.KeepAlive = !r.close && (r.Minor > 0 || r.keepAlive)
	hasBody := r.codings > 0 || r.length > 0
	r.ExpectContinue = r.goOn && hasBody && r.Minor > 0
	r.AcceptsTrailers = r.trailersOK && r.Minor > 0
	r.WebSocket = r.websocket && r.upgradeOption && !hasBody && r.Minor > 0 && string(r.Method) == "GET"
}
