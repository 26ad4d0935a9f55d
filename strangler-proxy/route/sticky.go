package route

import (
	"fmt"
	"net/textproto"
	"strings"
)

// KeyCookie is the cookie by which the proxy recognises a client that has nothing else.
const KeyCookie = "_strangler_id"

// KeyLength is the length of a key that the proxy draws: 128 random bits as lower-case
// hexadecimal digits.
const KeyLength = 32

// A KeySource is a place where the key of a client may stand: a header, a cookie of the
// application, or the proxy's own cookie. The zero value is the proxy's cookie.
type KeySource struct {
	Header string // canonical
	Cookie string
}

// A Sticky is where a client's key is looked for; the first place that has one counts.
// Nil means the proxy's cookie.
type Sticky []KeySource

// ParseKeySource reads header:NAME, cookie:NAME or auto-cookie.
func ParseKeySource(s string) (KeySource, error) {
	kind, name, named := strings.Cut(s, ":")
	switch {
	case s == autoCookie:
		return KeySource{}, nil
	case !named || kind != "header" && kind != "cookie":
		return KeySource{}, fmt.Errorf("%q is none of header:NAME, cookie:NAME and %s", s, autoCookie)
	case !isToken(name):
		return KeySource{}, fmt.Errorf("%q: %q is no name of a %s", s, name, kind)
	case kind == "cookie" && (name == KeyCookie || name == ForceCookie):
		return KeySource{}, fmt.Errorf("%q: this cookie is the proxy's own", s)
	case kind == "cookie":
		return KeySource{Cookie: name}, nil
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	if neverRouted(name) || name == "Host" || name == "Cookie" {
		return KeySource{}, fmt.Errorf("%q: this header does not tell clients apart", s)
	}
	return KeySource{Header: name}, nil
}

const autoCookie = "auto-cookie"

// String is the source as the file spells it.
func (k KeySource) String() string {
	switch {
	case k.Header != "":
		return "header:" + k.Header
	case k.Cookie != "":
		return "cookie:" + k.Cookie
	}
	return autoCookie
}

// Draws reports whether clients without a key get one from the proxy.
func (s Sticky) Draws() bool {
	for _, k := range s {
		if k == (KeySource{}) {
			return true
		}
	}
	return len(s) == 0
}

// Key is the client's key and where it stood. A header that stands there twice counts
// as missing: nobody could say which of the two the client is.
func (s Sticky) Key(head *Head) (key string, from KeySource, found bool) {
	if len(s) == 0 {
		key, found = KeySource{}.key(head)
		return key, KeySource{}, found
	}
	for _, k := range s {
		if key, found := k.key(head); found {
			return key, k, true
		}
	}
	return "", KeySource{}, false
}

func (k KeySource) key(head *Head) (string, bool) {
	if k.Header != "" {
		value, times := head.Field(k.Header)
		return value, times == 1 && value != ""
	}
	if k.Cookie != "" {
		value, _ := head.cookie(k.Cookie)
		return value, value != ""
	}
	value, _ := head.cookie(KeyCookie)
	return value, drawn(value)
}

// drawn reports whether the proxy may have drawn the key. Another value of its cookie
// is replaced, so that no client is stuck with a key that somebody else chose for many.
func drawn(key string) bool {
	if len(key) != KeyLength {
		return false
	}
	for i := range len(key) {
		if c := key[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
