package strangler

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// drawKey is a key that nobody else has.
func drawKey() string {
	var bits [route.KeyLength / 2]byte
	_, _ = rand.Read(bits[:]) // never fails
	return hex.EncodeToString(bits[:])
}

// appendKeyCookie appends the line by which a client keeps its new key. The cookie ends
// with the client's session: it says nothing but which half of the clients one is in.
func appendKeyCookie(dst []byte, key string, secure bool) []byte {
	dst = append(dst, "Set-Cookie: "+route.KeyCookie+"="...)
	dst = append(dst, key...)
	dst = append(dst, "; Path=/; HttpOnly; SameSite=Lax"...)
	if secure {
		dst = append(dst, "; Secure"...)
	}
	return append(dst, "\r\n"...)
}

// appendCookies keeps the cookie that asks for a side, and its secret, from the
// applications: lines that hold it are dropped from the head, and what else stands in
// them is appended.
func appendCookies(dst []byte, head *http1.Request) []byte {
	for i := head.Index("cookie", 0); i >= 0; i = head.Index("cookie", i+1) {
		cookies := view(head.Value(i))
		if !route.HasForce(cookies) {
			continue
		}
		head.DropField(i)
		if rest := route.StripForce(cookies); rest != "" {
			dst = http1.AppendField(dst, "Cookie", rest)
		}
	}
	return dst
}
