package http1

// A Kind tells fields that mean something to every proxy from all others.
type Kind uint8

// The kinds of fields.
const (
	Other Kind = iota
	Host
	ContentLength
	TransferEncoding
	Connection
	Upgrade
	Expect
	TE
	Trailer
)

// Marks are reasons why a field might not pass the proxy, as a set of bits.
type Marks uint8

// The marks.
const (
	HopByHop   Marks = 1 << iota // it is for one connection only
	Named                        // a Connection field says so
	Forwarding                   // X-Forwarded-*, Forwarded, X-Real-IP: only the proxy may say it
	Strangler                    // X-Strangler-*
	RequestID                    // X-Request-Id
	Alias                        // a name that CGI-like servers take for a marked or framing field: _ or . in place of -
	Framed                       // Content-Length, Transfer-Encoding
	HostName                     // Host
)

// What a proxy removes from an untrusted client's request and from an upstream's response.
const (
	FromRequest  = HopByHop | Named | Forwarding | Strangler | RequestID | Alias
	FromResponse = HopByHop | Named | Strangler | RequestID
)

// classify knows a field by its name.
func classify(name []byte) (Kind, Marks) {
	switch name[0] {
	case 'c', 'C', 'e', 'E', 'f', 'F', 'h', 'H', 'k', 'K', 'p', 'P', 't', 'T', 'u', 'U', 'x', 'X':
	default:
		return Other, 0
	}
	var known knownField
	switch len(name) {
	case 2:
		known = knownField{"te", TE, HopByHop}
	case 4:
		known = knownField{"host", Host, HostName}
	case 6:
		known = knownField{"expect", Expect, 0}
	case 7:
		known = knownField{"upgrade", Upgrade, HopByHop}
		if name[0]|0x20 == 't' {
			known = knownField{"trailer", Trailer, 0}
		}
	case 9:
		known = knownField{"forwarded", Other, Forwarding}
		if name[0]|0x20 == 'x' {
			known = knownField{"x-real-ip", Other, Forwarding}
		}
	case 10:
		known = knownField{"connection", Connection, HopByHop}
		if name[0]|0x20 == 'k' {
			known = knownField{"keep-alive", Other, HopByHop}
		}
	case 12:
		known = knownField{"x-request-id", Other, RequestID}
	case 14:
		known = knownField{"content-length", ContentLength, Framed}
		if name[0]|0x20 == 'h' {
			known = knownField{"http2-settings", Other, HopByHop}
		}
	case 16:
		known = knownField{"proxy-connection", Other, HopByHop}
	case 17:
		known = knownField{"transfer-encoding", TransferEncoding, Framed}
	case 18:
		known = knownField{"proxy-authenticate", Other, HopByHop}
	case 19:
		known = knownField{"proxy-authorization", Other, HopByHop}
	}
	if kind, marks := known.match(name); marks != 0 || kind != Other {
		return kind, marks
	}
	return Other, ownPrefix(name)
}

// ownPrefix knows the families of names that only the proxy may use.
func ownPrefix(name []byte) Marks {
	const prefixBytes = len("x-forwarded-")
	if len(name) < prefixBytes || name[0]|0x20 != 'x' {
		return 0
	}
	if _, marks := (knownField{"x-forwarded-", Other, Forwarding}).match(name[:prefixBytes]); marks != 0 {
		return marks
	}
	_, marks := knownField{"x-strangler-", Other, Strangler}.match(name[:prefixBytes])
	return marks
}

type knownField struct {
	name  string
	kind  Kind
	marks Marks
}

// match returns the field's kind and marks if name is its name. A mere alias has no
// kind: it must neither frame a message nor reach somebody for whom it might.
func (k knownField) match(name []byte) (Kind, Marks) {
	same, alias := sameName(name, k.name)
	switch {
	case !same:
		return Other, 0
	case alias:
		return Other, k.marks&^(Framed|HostName) | Alias
	default:
		return k.kind, k.marks
	}
}

// sameName compares with a lower-case name, taking _ and . for -.
func sameName(name []byte, known string) (same, alias bool) {
	if len(name) != len(known) {
		return false, false
	}
	for i, c := range name {
		switch {
		case c == known[i] || lower(c) == known[i]:
		case known[i] == '-' && (c == '_' || c == '.'):
			alias = true
		default:
			return false, false
		}
	}
	return true, alias
}

// MayTrail reports whether a field may stand in a trailer.
func MayTrail(name string) bool { return name != "" && mayTrail([]byte(name)) }

// mayTrail reports whether a field may stand in a trailer: none that frames, routes,
// authenticates or conditions a message, or says how to read its content (RFC 9110, 6.5.1).
func mayTrail(name []byte) bool {
	if kind, marks := classify(name); kind != Other || marks != 0 {
		return false
	}
	switch name[0] | 0x20 {
	case 'a', 'c', 'i', 'm', 'p', 'r', 's', 'w':
	default:
		return true
	}
	for _, known := range [...]string{
		"authorization", "cache-control", "content-encoding", "content-range", "content-type", "cookie", "max-forwards",
		"pragma", "range", "realm", "set-cookie", "www-authenticate",
	} {
		if same, _ := sameName(name, known); same {
			return false
		}
	}
	same, _ := sameName(name[:min(len(name), 3)], "if-")
	return !same
}
