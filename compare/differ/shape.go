package differ

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A shape is the kind of a scalar and the details of its format: what stays of a value
// when the value itself is noise.
type shape struct {
	base   string
	detail string
}

func (s shape) String() string {
	if s.detail == "" {
		return s.base
	}
	return s.base + " " + s.detail
}

func shapeOf(v value) shape {
	switch v.kind {
	case stringValue:
		return textShape(v.text)
	case numberValue:
		if !isInteger(v.text) {
			return shape{"number", strconv.Itoa(places(v.text)) + " places"}
		}
		if _, unit, ok := epoch(v.text); ok {
			return shape{"epoch", unit}
		}
		return shape{"integer", ""}
	}
	return shape{v.kind.String(), ""}
}

func textShape(s string) shape {
	switch {
	case s == "":
		return shape{"empty text", ""}
	case isHidden(s):
		return shape{"secret", ""}
	case isUUID(s):
		return shape{"uuid", "version " + s[14:15]}
	case isULID(s):
		return shape{"ulid", ""}
	case isDigits(s):
		return shape{"integer text", ""}
	case isHex(s):
		return shape{"hex", strconv.Itoa(len(s)) + " digits"}
	case isJWT(s):
		return shape{"jwt", ""}
	case isToken(s):
		return shape{"token", ""}
	}
	if _, layout, ok := timestamp(s); ok {
		return shape{"timestamp", layout}
	}
	if isDecimal(s) {
		return shape{"decimal text", strconv.Itoa(places(s)) + " places"}
	}
	return shape{"text", ""}
}

// admits reports whether v has the shape. Random values do not show their kind each
// time (a hexadecimal number may happen to be all digits), so it asks whether v could be one.
func (s shape) admits(v value) bool {
	switch s.base {
	case "text":
		return v.kind == stringValue && v.text != ""
	case "token":
		return v.kind == stringValue && len(v.text) >= 8 && tokenBytes(v.text)
	case "hex":
		return v.kind == stringValue && hexDigits(v.text) && s.detail == strconv.Itoa(len(v.text))+" digits"
	case "integer":
		return v.kind == numberValue && isInteger(v.text)
	}
	return shapeOf(v) == s
}

// timestamp reads an RFC 3339, SQL or HTTP time or a date, and gives its layout with
// every digit as 0.
func timestamp(s string) (at time.Time, layout string, ok bool) {
	if len(s) < len(time.DateOnly) || len(s) > 40 {
		return at, "", false
	}
	var err error
	switch {
	case strings.HasSuffix(s, " GMT"):
		at, err = http.ParseTime(s)
		return at, "HTTP", err == nil
	case s[4] != '-':
		return at, "", false
	case len(s) == len(time.DateOnly):
		at, err = time.Parse(time.DateOnly, s)
	case s[10] == 'T':
		if at, err = time.Parse(time.RFC3339Nano, s); err != nil {
			at, err = time.Parse("2006-01-02T15:04:05.999999999", s)
		}
	case s[10] == ' ':
		at, err = time.Parse("2006-01-02 15:04:05.999999999", s)
	default:
		return at, "", false
	}
	if err != nil {
		return at, "", false
	}
	return at, strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return '0'
		}
		return r
	}, s), true
}

// epoch reads an integer as a Unix time between 2017 and 2049, the only ones it takes
// for times.
func epoch(s string) (at time.Time, unit string, ok bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return at, "", false
	}
	const first, last = 1_500_000_000, 2_500_000_000
	for _, u := range [...]struct {
		name  string
		ratio int64
	}{{"s", 1}, {"ms", 1e3}, {"µs", 1e6}, {"ns", 1e9}} {
		if n/u.ratio >= first && n/u.ratio < last {
			return time.Unix(n/u.ratio, n%u.ratio*(1e9/u.ratio)), u.name, true
		}
	}
	return at, "", false
}

// instant returns the time that v says, if it says one.
func instant(v value) (time.Time, bool) {
	switch v.kind {
	case stringValue:
		at, _, ok := timestamp(v.text)
		return at, ok
	case numberValue:
		at, _, ok := epoch(v.text)
		return at, ok
	}
	return time.Time{}, false
}

const leastOpaque = 12

// isOpaque reports whether s looks generated: nobody chose it, and no two things share it.
func isOpaque(s string) bool {
	return len(s) >= leastOpaque && (isUUID(s) || isULID(s) || isHex(s) || isJWT(s) || isToken(s) || isHidden(s))
}

// opaques reports whether both texts look generated, or one does and vouches for the
// other: by chance a generator also makes tokens that mix letters and digits too little
// to be told from words, but of the same length and with the same marks in between.
func opaques(x, y string) bool {
	a := isOpaque(x)
	if x == y {
		return a
	}
	b := isOpaque(y)
	return a && b || a && alike(x, y) || b && alike(y, x)
}

// alike reports whether word is built as token is, of the same kinds of characters.
func alike(token, word string) bool {
	if !sameBuild(token, word) {
		return false
	}
	var has, needs [kinds]bool
	for i := range len(token) {
		has[kindOf(token[i])], needs[kindOf(word[i])] = true, true
	}
	for k := range needs {
		if needs[k] && !has[k] {
			return false
		}
	}
	return true
}

// sameBuild reports whether two words are long enough to be generated, equally long, and
// have the same marks at the same places.
func sameBuild(x, y string) bool {
	if len(x) != len(y) || len(x) < leastOpaque || !tokenBytes(x) || !tokenBytes(y) {
		return false
	}
	for i := range len(x) {
		if (kindOf(x[i]) == mark || kindOf(y[i]) == mark) && x[i] != y[i] {
			return false
		}
	}
	return true
}

// Kinds of characters.
const (
	mark = iota
	number
	lowerCase
	upperCase
	kinds
)

func kindOf(c byte) int {
	switch {
	case digit(c):
		return number
	case 'a' <= c && c <= 'z':
		return lowerCase
	case 'A' <= c && c <= 'Z':
		return upperCase
	}
	return mark
}

// isHidden reports whether s is what a Redactor put in place of a secret.
func isHidden(s string) bool {
	rest, ok := strings.CutPrefix(s, "h:")
	return ok && len(rest) == 12 && hexDigits(rest)
}

// isData reports whether the name of a member looks like a value: the object is a map
// then. Nobody names a field in more than 64 bytes.
func isData(name string) bool { return len(name) > 64 || isDigits(name) || isOpaque(name) }

func isUUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	for i := range len(s) {
		if s[i] != '-' && !hexDigit(s[i]) {
			return false
		}
	}
	return strings.Count(s, "-") == 4
}

func isULID(s string) bool {
	if len(s) != 26 || s[0] > '7' {
		return false
	}
	for i := range len(s) {
		if strings.IndexByte("0123456789ABCDEFGHJKMNPQRSTVWXYZ", s[i]) < 0 {
			return false
		}
	}
	return true
}

// isHex reports whether s is at least 16 hexadecimal digits, some of them decimal.
func isHex(s string) bool {
	return len(s) >= 16 && strings.ContainsAny(s, "0123456789") && hexDigits(s)
}

func hexDigits(s string) bool {
	for i := range len(s) {
		if !hexDigit(s[i]) {
			return false
		}
	}
	return true
}

func hexDigit(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func isDecimal(s string) bool {
	whole, fraction, found := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return isDigits(whole) && (!found || isDigits(fraction))
}

func isJWT(s string) bool {
	return strings.HasPrefix(s, "eyJ") && strings.Count(s, ".") == 2 && tokenBytes(s)
}

// isToken reports whether s is one word of at least 12 letters and digits that mixes
// them as only a generator does.
func isToken(s string) bool {
	if len(s) < leastOpaque || !tokenBytes(s) {
		return false
	}
	digits, changes := 0, 0
	last := 0
	for i := range len(s) {
		now := 0
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			now = 1
			digits++
		case 'a' <= c && c <= 'z':
			now = 2
		case 'A' <= c && c <= 'Z':
			now = 3
		}
		if now != last && now != 0 && last != 0 {
			changes++
		}
		last = now
	}
	return digits > 0 && changes >= 4
}

func tokenBytes(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !digit(c) && !letter(c) && strings.IndexByte("-_+/=.~", c) < 0 {
			return false
		}
	}
	return true
}
