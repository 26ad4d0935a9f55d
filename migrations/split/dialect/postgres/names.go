package postgres

import (
	"crypto/sha256"
	"encoding/hex"
)

// Names of what the engine makes. Those per table carry the table's name, so that who
// finds one knows what it belongs to.
const (
	prefix          = "_strangler_"
	captureTrigger  = prefix + "capture"
	truncateTrigger = prefix + "truncated"
	sealTrigger     = prefix + "seal"
	sealTruncate    = prefix + "seal_truncate"
)

// identifierBytes is how long a name may be; the server cuts longer ones silently.
const identifierBytes = 63

// objectOf names an object of kind for a table, for example its log.
func objectOf(kind, table string) string {
	s := prefix + kind + "_" + table
	if len(s) <= identifierBytes {
		return s
	}
	sum := sha256.Sum256([]byte(table))
	tail := "_" + hex.EncodeToString(sum[:4])
	s = s[:identifierBytes-len(tail)]
	for len(s) > 0 && s[len(s)-1] >= 0x80 { // not within a character
		s = s[:len(s)-1]
	}
	return s + tail
}
