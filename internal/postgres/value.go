package postgres

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// valueOf is a value that PostgreSQL wrote as text; the text is not kept.
func valueOf(oid uint32, text []byte) any {
	if text == nil {
		return nil
	}
	switch oid {
	case pgtype.BoolOID:
		return string(text) == "t"
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID:
		if json.Valid(text) { // NaN and Infinity are no numbers of JSON
			return json.Number(text)
		}
	case pgtype.JSONOID, pgtype.JSONBOID:
		if json.Valid(text) { // Go reads no more than 10,000 levels
			return json.RawMessage(bytes.Clone(text))
		}
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		if at, ok := timeOf(string(text)); ok {
			return at
		}
	case pgtype.ByteaOID:
		if raw, err := hex.DecodeString(strings.TrimPrefix(string(text), `\x`)); err == nil {
			return raw
		}
	case pgtype.BPCharOID: // padded with spaces that mean nothing
		return strings.TrimRight(string(text), " ")
	}
	return string(text)
}

// timeOf reads a time in UTC; infinity and what is before Christ stay text.
func timeOf(text string) (time.Time, bool) {
	at, err := time.Parse("2006-01-02 15:04:05.999999", strings.TrimSuffix(text, "+00"))
	return at, err == nil
}
