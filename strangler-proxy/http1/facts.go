package http1

// facts is what the fields of a head say about the message and its connection.
type facts struct {
	response      bool
	host          []byte
	hosts         int
	length        int64 // -1: not said
	lengths       int
	codings       int
	upgrades      int
	options       int  // names in all Connection fields
	named         bool // some are names of fields
	close         bool
	keepAlive     bool
	upgradeOption bool
	websocket     bool
	goOn          bool // Expect: 100-continue
	trailersOK    bool // TE: trailers
}

// collect judges all fields, in their order. Host, Expect and TE mean nothing in a
// response.
func (f *Fields) collect(response bool) Reason {
	f.response = response
	for i := range f.list {
		switch f.list[i].kind {
		case Other:
			continue
		case Host, Expect, TE:
			if response {
				continue
			}
		}
		if reason := f.learn(i); reason != 0 {
			f.at = int(f.list[i].start)
			return reason
		}
	}
	if f.named {
		f.markNamed()
	}
	if f.codings > 0 && f.lengths > 0 {
		return LengthAndCoding
	}
	return 0
}

func (f *Fields) learn(i int) Reason {
	value := f.Value(i)
	switch f.list[i].kind {
	case Host:
		f.hosts++
		f.host = value
		if f.hosts > 1 {
			return RepeatedHost
		}
		if !validHost(value) {
			return BadHost
		}
	case ContentLength:
		f.lengths++
		if f.lengths > 1 {
			return RepeatedLength
		}
		var ok bool
		if f.length, ok = parseLength(value); !ok {
			return BadLength
		}
	case TransferEncoding:
		f.codings++
		if f.codings > 1 {
			return RepeatedCoding
		}
		if !equalFold(value, "chunked") {
			return UnknownCoding
		}
	case Connection:
		return f.learnOptions(value)
	case Upgrade:
		f.upgrades++
		f.websocket = f.upgrades == 1 && equalFold(value, "websocket")
	case Expect:
		if !equalFold(value, "100-continue") {
			return UnknownExpectation
		}
		f.goOn = true
	case TE:
		f.learnTE(value)
	case Trailer:
		return f.learnTrailer(i, value)
	}
	return 0
}

func (f *Fields) learnOptions(list []byte) Reason {
	for len(list) > 0 {
		var option []byte
		option, list = cutElement(list)
		if len(option) == 0 {
			continue
		}
		if endOfToken(option, 0) != len(option) {
			if !f.response {
				return BadConnection
			}
			f.close = true // the answer is good, the connection is not
			continue
		}
		if f.options++; f.options > limitOptions {
			return ManyOptions
		}
		switch {
		case equalFold(option, "close"):
			f.close = true
		case equalFold(option, "keep-alive"):
			f.keepAlive = true
		case equalFold(option, "upgrade"):
			f.upgradeOption = true
		default:
			f.named = true
		}
	}
	return 0
}

// markNamed marks the fields that Connection names. Those without which the message
// would be another are not the client's to take away.
func (f *Fields) markNamed() {
	for i := range f.list {
		if f.list[i].kind != Connection {
			continue
		}
		for list := f.Value(i); len(list) > 0; {
			var option []byte
			if option, list = cutElement(list); len(option) > 0 {
				f.mark(option)
			}
		}
	}
}

func (f *Fields) mark(name []byte) {
	for i := range f.list {
		l := &f.list[i]
		if l.marks&(Framed|HostName) == 0 && int(l.colon-l.start) == len(name) && equalFoldBytes(f.buf[l.start:l.colon], name) {
			l.marks |= Named
		}
	}
}

func (f *Fields) learnTE(list []byte) {
	for len(list) > 0 {
		var coding []byte
		coding, list = cutElement(list)
		if equalFold(coding, "trailers") {
			f.trailersOK = true
		}
	}
}

// learnTrailer refuses what would frame the message anew, and marks an announcement
// that names something else than fields that pass with the trailer.
func (f *Fields) learnTrailer(i int, list []byte) Reason {
	for len(list) > 0 {
		var name []byte
		name, list = cutElement(list)
		if len(name) == 0 {
			continue
		}
		if kind, marks := classify(name); marks&Framed != 0 || kind == Trailer {
			return BadTrailer
		}
		if endOfToken(name, 0) != len(name) || !mayTrail(name) {
			f.list[i].marks |= HopByHop
		}
	}
	return 0
}

// parseLength takes digits only, in the one way of writing a number.
func parseLength(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > limitLengthDigits || len(b) > 1 && b[0] == '0' {
		return 0, false
	}
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
