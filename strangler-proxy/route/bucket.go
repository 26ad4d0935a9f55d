package route

import (
	"crypto/sha256"
	"encoding/binary"
)

// Buckets is how many buckets clients are dealt into, one for each hundredth of a
// percent.
const Buckets = Everyone

// Bucket deals a client's key into one of Buckets buckets: the first four bytes of
// SHA-256(salt, a zero byte, key) as a big-endian number, modulo Buckets. At a canary
// of p percent the buckets below p·100 are on the service, so who is on it stays on it
// when the share grows. The salt is the name of the route or of its group: routes of
// one group agree about a client, and two groups know nothing of each other.
//
// The result depends on nothing else, so every replica and every restart agrees, and
// any language can compute it; docs/reference/config.md says how.
func Bucket(salt, key string) int {
	var room [192]byte
	text := append(room[:0], salt...)
	text = append(text, 0)
	text = append(text, key...)
	sum := sha256.Sum256(text)
	return int(binary.BigEndian.Uint32(sum[:4]) % Buckets)
}
