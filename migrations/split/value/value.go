// Package value holds single values of a database, of the kind that was stored: the
// integer 1, the real 1.0 and the text "1" are three different values. Values are
// compared by kind and bytes, never by what SQL calls equal.
package value

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Kind is what sort of value was stored.
type Kind uint8

// The kinds of values. A Literal is the database's own text form of a value of a type
// that has no other kind here, such as a number of any length, a UUID or a time.
const (
	Null Kind = iota
	Int
	Real
	Text
	Blob
	Literal
)

func (k Kind) String() string {
	return [...]string{"null", "integer", "real", "text", "blob", "literal"}[k]
}

// A Value is one value. The zero Value is NULL. Values are immutable and may be
// compared with ==, which means the same as Equal.
type Value struct {
	kind  Kind
	bits  uint64 // of an Int or Real
	bytes string // of the others
}

// OfInt returns an integer.
func OfInt(n int64) Value { return Value{kind: Int, bits: uint64(n)} }

// OfReal returns a floating-point number. Its bits are kept: 0.0 and -0.0 are two
// values, and NaN equals itself.
func OfReal(f float64) Value { return Value{kind: Real, bits: math.Float64bits(f)} }

// OfText returns a text, which may hold any bytes.
func OfText(s string) Value { return Value{kind: Text, bytes: s} }

// OfBlob returns a copy of b.
func OfBlob(b []byte) Value { return Value{kind: Blob, bytes: string(b)} }

// OfLiteral returns the text form of a value of another type.
func OfLiteral(s string) Value { return Value{kind: Literal, bytes: s} }

// Kind says what the value is.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether the value is NULL.
func (v Value) IsNull() bool { return v.kind == Null }

// Int returns the number of an integer.
func (v Value) Int() int64 { return int64(v.bits) }

// Real returns the number of a floating-point value.
func (v Value) Real() float64 { return math.Float64frombits(v.bits) }

// Text returns the bytes of a text, a blob or a literal.
func (v Value) Text() string { return v.bytes }

// Size is about how much memory the value takes.
func (v Value) Size() int { return 32 + len(v.bytes) }

// Equal reports whether both are of the same kind and have the same bytes.
func (v Value) Equal(other Value) bool { return v == other }

// shown is how many bytes of a value String shows.
const shown = 40

// String shows the value for messages: with its kind where that could be mistaken, and
// shortened. It may show what is secret, so it belongs into findings only.
func (v Value) String() string {
	switch v.kind {
	case Null:
		return "NULL"
	case Int:
		return strconv.FormatInt(v.Int(), 10)
	case Real:
		s := strconv.FormatFloat(v.Real(), 'g', -1, 64)
		if !strings.ContainsAny(s, ".eEnN") {
			s += ".0"
		}
		return s
	case Blob:
		if len(v.bytes) > shown/2 {
			return fmt.Sprintf("x'%s…' (%d bytes)", hex.EncodeToString([]byte(v.bytes[:shown/2])), len(v.bytes))
		}
		return "x'" + hex.EncodeToString([]byte(v.bytes)) + "'"
	case Literal:
		return shorten(v.bytes)
	}
	return shorten(v.bytes)
}

func shorten(s string) string {
	if len(s) <= shown {
		return strconv.Quote(s)
	}
	cut := shown
	for cut > shown-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(s[:cut]), len(s))
}

// Append adds the value to b, so that Take can read it back. Values of different kinds
// or bytes never look alike.
func (v Value) Append(b []byte) []byte {
	b = append(b, byte(v.kind))
	switch v.kind {
	case Null:
		return b
	case Int, Real:
		return binary.BigEndian.AppendUint64(b, v.bits)
	}
	b = binary.AppendUvarint(b, uint64(len(v.bytes)))
	return append(b, v.bytes...)
}

// ErrMalformed reports bytes that Append did not write.
var ErrMalformed = errors.New("not an encoded value")

// Take reads one value from the front of b and returns what is behind it.
func Take(b []byte) (Value, []byte, error) {
	if len(b) == 0 {
		return Value{}, nil, ErrMalformed
	}
	kind, rest := Kind(b[0]), b[1:]
	switch kind {
	case Null:
		return Value{}, rest, nil
	case Int, Real:
		if len(rest) < 8 {
			return Value{}, nil, ErrMalformed
		}
		return Value{kind: kind, bits: binary.BigEndian.Uint64(rest)}, rest[8:], nil
	case Text, Blob, Literal:
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return Value{}, nil, ErrMalformed
		}
		end := n + int(size)
		return Value{kind: kind, bytes: string(rest[n:end])}, rest[end:], nil
	}
	return Value{}, nil, ErrMalformed
}
