package postgres

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"

	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// text is a value as the server reads it; NULL is nil.
func text(v value.Value) []byte {
	switch v.Kind() {
	case value.Null:
		return nil
	case value.Int:
		return strconv.AppendInt(nil, v.Int(), 10)
	case value.Real:
		return []byte(realText(v.Real()))
	case value.Blob:
		return append([]byte(`\x`), hex.EncodeToString([]byte(v.Text()))...)
	}
	return []byte(v.Text())
}

// realText is the shortest text that is read back as the same number.
func realText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// parse reads a value of a column as the server writes it; nil is NULL.
func (f field) parse(b []byte) (value.Value, error) {
	if b == nil {
		return value.Value{}, nil
	}
	switch f.kind {
	case value.Int:
		n, err := strconv.ParseInt(string(b), 10, 64)
		return value.OfInt(n), err
	case value.Real:
		// A real's own shortest text survives the way through 64 bits.
		n, err := strconv.ParseFloat(string(b), 64)
		return value.OfReal(n), err
	case value.Text:
		return value.OfText(string(b)), nil
	case value.Blob:
		raw := make([]byte, max(0, hex.DecodedLen(len(b)-2)))
		if !bytes.HasPrefix(b, []byte(`\x`)) {
			return value.Value{}, fmt.Errorf("column %s: bytea is not in hex", f.Name)
		}
		if _, err := hex.Decode(raw, b[2:]); err != nil {
			return value.Value{}, fmt.Errorf("column %s: %w", f.Name, err)
		}
		return value.OfBlob(raw), nil
	}
	return value.OfLiteral(string(b)), nil
}

// parseAll reads the columns of a row.
func parseAll(fields []field, raw [][]byte) ([]value.Value, error) {
	row := make([]value.Value, len(fields))
	for i, f := range fields {
		v, err := f.parse(raw[i])
		if err != nil {
			return nil, err
		}
		row[i] = v
	}
	return row, nil
}

// array is the i-th value of each key as an array of the server.
func array(keys []value.Key, i int) []byte {
	b := []byte{'{'}
	for n, k := range keys {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		for _, c := range text(k[i]) {
			if c == '"' || c == '\\' {
				b = append(b, '\\')
			}
			b = append(b, c)
		}
		b = append(b, '"')
	}
	return append(b, '}')
}

// appendLine adds a row as COPY reads it.
func appendLine(b []byte, row []value.Value) []byte {
	for i, v := range row {
		if i > 0 {
			b = append(b, '\t')
		}
		if v.IsNull() {
			b = append(b, `\N`...)
			continue
		}
		for _, c := range text(v) {
			switch c {
			case '\\':
				b = append(b, `\\`...)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, c)
			}
		}
	}
	return append(b, '\n')
}
