package value

import "strings"

// A Row is the values of one row, in the order of a schema.Shape.
type Row []Value

// A Key is the values of a row's key. A nil Key stands for the place before the first
// row, or behind the last, as the context says.
type Key []Value

// Equal reports whether both rows hold the same values.
func (r Row) Equal(other Row) bool {
	if len(r) != len(other) {
		return false
	}
	for i := range r {
		if r[i] != other[i] {
			return false
		}
	}
	return true
}

// Size is about how much memory the row takes.
func (r Row) Size() int {
	size := 24
	for _, v := range r {
		size += v.Size()
	}
	return size
}

// Encode returns the key as bytes, for a checkpoint or as the key of a map.
func (k Key) Encode() string {
	var b []byte
	for _, v := range k {
		b = v.Append(b)
	}
	return string(b)
}

// DecodeKey reads what Encode wrote. No bytes are the nil Key.
func DecodeKey(b []byte) (Key, error) {
	var k Key
	for len(b) > 0 {
		v, rest, err := Take(b)
		if err != nil {
			return nil, err
		}
		k, b = append(k, v), rest
	}
	return k, nil
}

// String shows the key for messages: one value as it is, more in parentheses.
func (k Key) String() string {
	if len(k) == 1 {
		return k[0].String()
	}
	parts := make([]string, len(k))
	for i, v := range k {
		parts[i] = v.String()
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
