package differ

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A printer writes values as JSON, without secrets, until limit bytes are written.
type printer struct {
	redact *Redactor
	limit  int
	out    []byte
}

func (p *printer) value(v value, secret bool) {
	switch {
	case len(p.out) > p.limit:
	case v.kind == arrayValue || v.kind == objectValue:
		p.container(v, secret)
	case v.kind == nullValue || v.kind == boolValue:
		p.out = append(p.out, v.text...)
	case secret && v.text != "":
		p.quote(p.redact.Hash(v.text))
	case v.kind == numberValue:
		if text := p.redact.Text(v.text); text != v.text { // a card number
			p.quote(text)
			return
		}
		p.out = append(p.out, v.text...)
	default:
		text := v.text
		if most := p.limit + 8192; p.limit < most && len(text) > most { // far beyond what is shown
			text = text[:most]
		}
		p.quote(p.redact.Text(text))
	}
}

func (p *printer) container(v value, secret bool) {
	marks := "[]"
	if v.kind == objectValue {
		marks = "{}"
	}
	p.out = append(p.out, marks[0])
	for i, m := range v.kids {
		if len(p.out) > p.limit {
			break
		}
		if i > 0 {
			p.out = append(p.out, ',')
		}
		if v.kind == objectValue {
			p.quote(m.name)
			p.out = append(p.out, ':')
		}
		p.value(m.value, secret || v.kind == objectValue && p.redact.Secret(m.name))
	}
	p.out = append(p.out, marks[1])
}

// quote writes a JSON string; bytes that are no UTF-8 can only be lone surrogates.
func (p *printer) quote(s string) {
	p.out = append(p.out, '"')
	for i := 0; i < len(s) && len(p.out) <= p.limit; {
		c, width := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && width == 1 && i+2 < len(s) && s[i] == 0xED:
			width = 3
			p.out = fmt.Appendf(p.out, `\u%04x`, rune(s[i]&0xF)<<12|rune(s[i+1]&0x3F)<<6|rune(s[i+2]&0x3F))
		case c == utf8.RuneError && width == 1:
			p.out = append(p.out, `\ufffd`...)
		case c == '"' || c == '\\':
			p.out = append(p.out, '\\', byte(c))
		case c < ' ' || c == 0x7f:
			p.out = fmt.Appendf(p.out, `\u%04x`, c)
		default:
			p.out = append(p.out, s[i:i+width]...)
		}
		i += width
	}
	p.out = append(p.out, '"')
}

// shorten cuts s to about limit bytes, between characters.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "… (" + strconv.Itoa(len(s)) + " bytes)"
}
