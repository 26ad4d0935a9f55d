package differ

import (
	"encoding/json"
	"net/url"
	"strings"
)

// What a client makes up itself (a name, a word to search for, an e-mail address) differs from
// run to run and comes back in answers. Such texts are bound one to one like identifiers, but
// apart from them: a text that was sent in two ways is taken for what it is.

// minChosen is the length from which a text is taken for made up; shorter ones repeat by chance.
const minChosen = 5

const maxChosen = 1 << 16 // texts of one run

// choose binds a text that the client sent, and the words within it that differ.
func (t *identities) choose(x, y string) {
	if x == y || t == nil || len(t.chosen) > maxChosen {
		return
	}
	t.bindChosen(x, y)
	a, b := x, y
	for a != "" && b != "" {
		p, q := nextWord(a), nextWord(b)
		a, b = a[len(p):], b[len(q):]
		if p != q && p != x && wordByte(p[0]) && wordByte(q[0]) {
			t.bindChosen(p, q)
		}
	}
}

func (t *identities) bindChosen(x, y string) {
	if len(x) < minChosen || len(y) < minChosen || isDigits(x) || isDigits(y) {
		return
	}
	have, known := t.chosen[x]
	other, taken := t.chooser[y]
	switch {
	case known && have != y || taken && other != x:
		t.chosen[x], t.chooser[y] = "", "" // ambiguous: it says nothing
	case !known:
		x, y = strings.Clone(x), strings.Clone(y)
		t.chosen[x], t.chooser[y] = y, x
	}
}

// checkChosen says whether the client made up y where it made up x.
func (t *identities) checkChosen(x, y string) verdict {
	if t == nil {
		return unknown
	}
	if have := t.chosen[x]; have != "" {
		if have == y {
			return same
		}
		return violated
	}
	if t.chooser[y] != "" {
		return violated
	}
	return unknown
}

// renamed reports whether a word stands for another: the client made both up, or they are an
// identifier by where it was minted, though by chance one may not look generated here.
func (t *identities) renamed(x, y string) bool {
	return t.checkChosen(x, y) == same || len(x) >= leastOpaque && t.check("", x, y) == same
}

// nextWord cuts a word, or what stands between two.
func nextWord(s string) string {
	word := wordByte(s[0])
	end := 1
	for end < len(s) && wordByte(s[end]) == word {
		end++
	}
	return s[:end]
}

func wordByte(c byte) bool { return digit(c) || letter(c) || c == '-' || c == '_' }

// chosenForm binds what the two requests hold as forms.
func (w *walk) chosenForm(before, after []byte) bool {
	if len(before) == 0 || len(before) > maxTokenised || json.Valid(before) || !strings.Contains(string(before), "=") {
		return false
	}
	x, errX := url.ParseQuery(string(before))
	y, errY := url.ParseQuery(string(after))
	if errX != nil || errY != nil {
		return false
	}
	for name, values := range x {
		for i, v := range values {
			if i < len(y[name]) {
				w.bindText(numberNamespace([]step{{name, -1}}, w.route), v, y[name][i], false)
			}
		}
	}
	return true
}
