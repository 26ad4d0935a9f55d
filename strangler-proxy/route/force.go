package route

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"strings"
)

// How a client asks for a side. The value is service or monolith, and for a client
// that is trusted by a secret service:SECRET or monolith:SECRET.
const (
	ForceHeader = "X-Strangler-Force"
	ForceCookie = "strangler_force"
)

// A Force says who may choose the side of their own requests. The zero value trusts
// nobody. It keeps no secret, only the secret's hash.
type Force struct {
	peers  []netip.Prefix
	secret [sha256.Size]byte
	known  bool // there is a secret
}

// NewForce trusts clients by their address, and by a secret unless it is empty.
func NewForce(peers []netip.Prefix, secret string) Force {
	return Force{peers: peers, secret: sha256.Sum256([]byte(secret)), known: secret != ""}
}

// asks reports which side the head of a request asks for, and by what: the header
// counts before the cookie. It is false for a client that may not.
func (f *Force) asks(head *Head) (side Side, by Reason, ok bool) {
	if len(f.peers) == 0 && !f.known {
		return ToMonolith, "", false
	}
	if value, times := head.Field(ForceHeader); times == 1 {
		if side, ok = f.read(value, head.Peer); ok {
			return side, ForcedByHeader, true
		}
	}
	if value, found := head.cookie(ForceCookie); found {
		side, ok = f.read(value, head.Peer)
		return side, ForcedByCookie, ok
	}
	return ToMonolith, "", false
}

func (f *Force) read(value string, peer netip.Addr) (side Side, ok bool) {
	word, secret, _ := strings.Cut(value, ":")
	switch word {
	case "service":
		side = ToService
	case "monolith":
		side = ToMonolith
	default:
		return ToMonolith, false
	}
	return side, f.trusts(peer) || f.opens(secret)
}

func (f *Force) trusts(peer netip.Addr) bool { return within(f.peers, peer) }

// opens compares hashes: how long that takes tells nothing about the secret.
func (f *Force) opens(secret string) bool {
	given := sha256.Sum256([]byte(secret))
	return f.known && subtle.ConstantTimeCompare(given[:], f.secret[:]) == 1
}

func within(prefixes []netip.Prefix, peer netip.Addr) bool {
	peer = peer.Unmap().WithZone("")
	for _, p := range prefixes {
		if p.Contains(peer) {
			return true
		}
	}
	return false
}

// StripForce removes the cookie that asks for a side from the value of a Cookie
// header, so that the application never sees it. It returns the value itself when
// there is none.
func StripForce(cookies string) string {
	if !HasForce(cookies) {
		return cookies
	}
	var kept []string
	for _, pair := range strings.Split(cookies, ";") {
		if name, _, _ := strings.Cut(strings.TrimLeft(pair, " \t"), "="); name != ForceCookie {
			kept = append(kept, strings.TrimLeft(pair, " \t"))
		}
	}
	return strings.Join(kept, "; ")
}

// HasForce reports whether a Cookie header asks for a side.
func HasForce(cookies string) bool {
	if !strings.Contains(cookies, ForceCookie) { // as good as always, and known at once
		return false
	}
	_, found := cookie(cookies, ForceCookie)
	return found
}
