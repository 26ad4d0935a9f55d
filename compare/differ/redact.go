package differ

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// A Redactor replaces secrets by "h:" and 12 hexadecimal digits of a salted hash, so
// that equal secrets stay recognisable and the secrets do not; without a salt, by
// "(secret)". It is immutable.
type Redactor struct {
	salt  []byte
	names []string
}

// secretWords mark a name as that of a secret, wherever they stand in it.
var secretWords = []string{
	"password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "authorization", "cookie",
	"credential", "cardnumber", "csrf", "sessionid",
}

// shortWords do so, too, but not in what was generated: there they stand by chance.
var shortWords = []string{"cvv", "cvc", "iban", "ssn"}

// secretNames are names of secrets as a whole.
var secretNames = []string{"card", "pan", "pin", "sid", "session", "auth", "pwd", "signature", "otp"}

var (
	jwtText    = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`)
	bearerText = regexp.MustCompile(`(?i)\b(bearer|basic)[ +]+[A-Za-z0-9._~+/=-]{6,}`)
	namedText  = regexp.MustCompile(`([A-Za-z][A-Za-z0-9_.-]*)(\\?["']?\s*[=:]\s*\\?["']?)([^\s"'\\&;,<>{}\[\]]+)`)
	cardText   = regexp.MustCompile(`\b\d(?:[ -]?\d){12,18}\b`)
	uuidText   = regexp.MustCompile(`\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b`)
)

// NewRedactor returns a Redactor that knows the usual names of secrets and the names given.
func NewRedactor(salt []byte, names ...string) *Redactor {
	r := &Redactor{salt: slices.Clone(salt)}
	for _, name := range names {
		r.names = append(r.names, plain(name))
	}
	return r
}

// plain drops what differs between spellings of a name: api_key, apiKey and X-API-Key.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-' || r == '.' || r == ' ':
			return -1
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// Secret reports whether a member, parameter, header or cookie of this name holds a secret.
func (r *Redactor) Secret(name string) bool {
	name = plain(name)
	has := func(word string) bool { return strings.Contains(name, word) }
	return slices.Contains(secretNames, name) || slices.Contains(r.names, name) ||
		slices.ContainsFunc(secretWords, has) || slices.ContainsFunc(shortWords, has) && !generated(name)
}

// generated reports whether a name is made of letters and more than a few digits.
func generated(name string) bool {
	const few = 2
	digits := 0
	for i := range len(name) {
		if digit(name[i]) {
			digits++
		}
	}
	return isToken(name) && digits > few
}

// Hash returns what stands for a secret.
func (r *Redactor) Hash(secret string) string {
	if len(r.salt) == 0 {
		return "(secret)"
	}
	mac := hmac.New(sha256.New, r.salt)
	_, _ = mac.Write([]byte(secret))
	return "h:" + hex.EncodeToString(mac.Sum(nil))[:12]
}

// Text replaces what looks like a secret within a text: tokens, credentials, payment card
// numbers, and values that follow the name of a secret.
func (r *Redactor) Text(text string) string {
	if strings.Contains(text, "eyJ") {
		text = jwtText.ReplaceAllStringFunc(text, r.Hash)
	}
	text = bearerText.ReplaceAllStringFunc(text, func(s string) string {
		i := strings.IndexAny(s, " +")
		return s[:i+1] + r.Hash(strings.TrimLeft(s[i:], " +"))
	})
	if strings.ContainsAny(text, "=:") {
		text = namedText.ReplaceAllStringFunc(text, func(s string) string {
			m := namedText.FindStringSubmatch(s)
			if !r.Secret(m[1]) || strings.HasPrefix(m[3], "h:") || strings.HasPrefix(m[3], "(secret)") {
				return s
			}
			return m[1] + m[2] + r.Hash(m[3])
		})
	}
	return r.cards(text)
}

// cards replaces payment card numbers. One UUID in a few thousand has digits like one.
func (r *Redactor) cards(text string) string {
	var out strings.Builder
	var uuids [][]int
	done := 0
	for _, at := range cardText.FindAllStringIndex(text, -1) {
		s := text[at[0]:at[1]]
		if _, _, time := epoch(s); time || !luhn(s) { // no card begins like a time of these years
			continue
		}
		if uuids == nil {
			uuids = uuidText.FindAllStringIndex(text, -1)
		}
		if slices.ContainsFunc(uuids, func(u []int) bool { return u[0] <= at[0] && at[1] <= u[1] }) {
			continue
		}
		out.WriteString(text[done:at[0]])
		out.WriteString(r.Hash(s))
		done = at[1]
	}
	if done == 0 {
		return text
	}
	out.WriteString(text[done:])
	return out.String()
}

// luhn reports whether the digits in s have the checksum of a payment card number.
func luhn(s string) bool {
	sum, n := 0, 0
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] < '0' || s[i] > '9' {
			continue
		}
		d := int(s[i] - '0')
		if n%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
		n++
	}
	return n >= 13 && sum%10 == 0 && strings.Trim(s, "0 -") != ""
}

// Header returns a copy of h without secrets; of cookies the names and attributes stay.
func (r *Redactor) Header(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		for _, v := range values {
			out[name] = append(out[name], r.headerValue(http.CanonicalHeaderKey(name), v))
		}
	}
	return out
}

func (r *Redactor) headerValue(name, v string) string {
	switch {
	case name == "Set-Cookie":
		pair, attributes, found := strings.Cut(v, ";")
		if found {
			attributes = ";" + attributes
		}
		return r.cookie(pair) + attributes
	case name == "Cookie":
		pairs := strings.Split(v, ";")
		for i := range pairs {
			pairs[i] = r.cookie(strings.TrimSpace(pairs[i]))
		}
		return strings.Join(pairs, "; ")
	case r.Secret(name):
		return r.Hash(v)
	}
	return r.Text(v)
}

func (r *Redactor) cookie(pair string) string {
	name, secret, found := strings.Cut(pair, "=")
	if !found {
		return r.Hash(pair)
	}
	if secret == "" {
		return pair
	}
	return name + "=" + r.Hash(secret)
}

// Body returns a body without secrets: JSON member by member, other text by [Redactor.Text].
// Redacted JSON keeps its values and the spelling of numbers, but not its white space and
// order. Bytes that are not UTF-8 stay as they are, but for secrets between them.
func (r *Redactor) Body(body []byte) []byte {
	text := string(body)
	if v, err := readJSON(text, Limits{}.orDefault().Depth); err == nil {
		p := printer{redact: r, limit: int(^uint(0) >> 1)}
		p.value(v, false)
		return p.out
	}
	return []byte(r.Text(text))
}
