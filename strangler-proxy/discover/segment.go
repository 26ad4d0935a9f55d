package discover

import (
	"strings"
)

// A kind says what a segment of a path looks like, judged by itself.
type kind uint8

const (
	word  kind = iota // part of an endpoint's name: users, forgot-password, v2
	slug              // one of many: red-shoes-42, jane@example.com
	asset             // a file of a page: app.9f3c.js
	ident             // an id: a number, a UUID, a token
	date              // 2024-01-31
)

// limitLiteral is the longest segment that can be a name; longer ones are ids.
const limitLiteral = 64

// classify judges a decoded segment.
func classify(s string) kind {
	switch {
	case s == "":
		return word
	case len(s) > limitLiteral:
		return ident
	case isVersion(s):
		return word
	case isDate(s):
		return date
	case isNumber(s), isToken(s):
		return ident
	}
	stem, extension, dotted := cutExtension(s)
	switch {
	case dotted && isAsset(extension):
		return asset
	case dotted && isDate(stem):
		return date
	case dotted && (isNumber(stem) || isToken(stem)):
		return ident
	case isWord(stem):
		return word
	}
	return slug
}

// cutExtension splits "list.json" in two; an extension has at most five letters or digits.
func cutExtension(s string) (stem, extension string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i <= 0 || len(s)-i-1 < 1 || len(s)-i-1 > 5 {
		return s, "", false
	}
	for _, c := range []byte(s[i+1:]) {
		if !isLetter(c) && !isDigit(c) {
			return s, "", false
		}
	}
	return s[:i], strings.ToLower(s[i+1:]), true
}

func isAsset(extension string) bool {
	switch extension {
	case "js", "mjs", "css", "map", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "bmp", "ico",
		"woff", "woff2", "ttf", "otf", "eot", "mp3", "mp4", "webm", "ogg", "wasm":
		return true
	}
	return false
}

// isVersion finds v1 and v2.1, which name an API.
func isVersion(s string) bool {
	return len(s) >= 2 && len(s) <= 6 && (s[0] == 'v' || s[0] == 'V') && isDigit(s[1]) && strings.Trim(s[1:], "0123456789.") == ""
}

// isNumber finds 42, -7, 3.14 and lists such as 1,2,3.
func isNumber(s string) bool {
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c):
			digits++
		case c == '-' && i == 0, c == '.' && digits > 0, c == ',' && digits > 0:
		default:
			return false
		}
	}
	return digits > 0
}

// isDate finds 2024-01, 2024-01-31 and what goes on with a time.
func isDate(s string) bool {
	shaped := func(shape string) bool {
		if len(s) < len(shape) {
			return false
		}
		for i := range len(shape) {
			if shape[i] == '0' && !isDigit(s[i]) || shape[i] == '-' && s[i] != '-' {
				return false
			}
		}
		return true
	}
	return len(s) == 7 && shaped("0000-00") || shaped("0000-00-00") && (len(s) == 10 || s[10] == 'T' || s[10] == ' ')
}

// isToken finds what no person would type: UUIDs, hashes, base64, ULIDs, and the same
// behind a prefix such as cus_.
func isToken(s string) bool {
	if isUUID(s) {
		return true
	}
	if i := strings.LastIndexByte(s, '_'); i > 0 && i <= 8 && strings.Trim(s[:i], "abcdefghijklmnopqrstuvwxyz") == "" {
		if rest := s[i+1:]; isOpaque(rest, 8) || isNumber(rest) {
			return true
		}
	}
	return isHex(s) || isOpaque(s, 16)
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (s[i] == '-') || !dash && !isHexDigit(s[i]) {
			return false
		}
	}
	return true
}

// isHex finds hashes from seven digits on; without two digits it may be a word.
func isHex(s string) bool {
	digits := 0
	for i := range len(s) {
		if !isHexDigit(s[i]) {
			return false
		}
		if isDigit(s[i]) {
			digits++
		}
	}
	return len(s) >= 7 && digits >= 2
}

// isOpaque finds unreadable texts of at least so many characters: digits among
// letters, and more changes between the two than a name has.
func isOpaque(s string, least int) bool {
	digits, changes := 0, 0
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && !isDigit(c) && c != '-' && c != '_' && c != '=' {
			return false
		}
		if isDigit(c) {
			digits++
		}
		if i > 0 && (class(c) != class(s[i-1])) {
			changes++
		}
	}
	return len(s) >= least && digits >= 2 && changes >= 4 && strings.Count(s, "-")+strings.Count(s, "_") <= len(s)/8
}

func class(c byte) int {
	switch {
	case isDigit(c):
		return 0
	case 'a' <= c && c <= 'z':
		return 1
	case 'A' <= c && c <= 'Z':
		return 2
	}
	return 3
}

// isWord finds what names an endpoint: letters, maybe a few digits, at most one - or _.
func isWord(s string) bool {
	digits, joints := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case isLetter(c):
		case isDigit(c) && i > 0:
			digits++
		case (c == '-' || c == '_' || c == '.') && i > 0 && i < len(s)-1:
			joints++
		case c == '.' || c == '_': // .well-known, _health
		default:
			return false
		}
	}
	return len(s) <= 40 && joints <= 1 && digits <= 2 && (joints == 0 || digits == 0)
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHexDigit(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
