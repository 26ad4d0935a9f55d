package accesslog

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// appendJSON appends the line of x as JSON. Its keys are part of what users rely on.
func (l *Log) appendJSON(b []byte, x *exchange.Exchange, query bool) []byte {
	b = append(b, `{"time":"`...)
	b = x.Start.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","level":"INFO","msg":"request","method":`...)
	b = appendQuoted(b, x.Method)
	b = append(b, `,"path":`...)
	b = appendQuoted(b, ShownPath(x, l.secrets))
	if query {
		b = append(b, `,"query":`...)
		b = appendQuoted(b, l.shownQuery(x.Query))
	}
	b = append(b, `,"host":`...)
	b = appendQuoted(b, x.Host)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(x.Status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, x.Bytes, 10)
	b = append(b, `,"duration_ms":`...)
	b = appendMillis(b, x.Took)
	if x.Held > 0 {
		b = append(b, `,"held_ms":`...)
		b = appendMillis(b, x.Held)
	}
	b = append(b, `,"route":`...)
	b = appendQuoted(b, x.Decision.Name())
	b = append(b, `,"stage":"`...)
	b = appendStage(b, x.Decision.Stage())
	b = append(b, `","served_by":`...)
	b = appendQuoted(b, x.ServedBy)
	b = append(b, `,"fallback_reason":`...)
	b = appendQuoted(b, x.Fallback)
	b = append(b, `,"retries":`...)
	b = strconv.AppendInt(b, int64(x.Retries), 10)
	b = append(b, `,"config_version":`...)
	b = strconv.AppendUint(b, x.ConfigVersion, 10)
	b = append(b, `,"request_id":`...)
	b = appendQuoted(b, x.ID)
	if x.TraceID != "" {
		b = append(b, `,"trace_id":`...)
		b = appendQuoted(b, x.TraceID)
	}
	if x.Client.IsValid() {
		b = append(b, `,"client":"`...)
		b = x.Client.WithZone("").AppendTo(b)
		b = append(b, '"')
	}
	if x.NoFallback != "" {
		b = append(b, `,"no_fallback":`...)
		b = appendQuoted(b, x.NoFallback)
	}
	if x.Failure != "" {
		b = append(b, `,"failure":`...)
		b = appendQuoted(b, x.Failure)
	}
	return append(b, '}', '\n')
}

// appendText appends the line of x for people.
func (l *Log) appendText(b []byte, x *exchange.Exchange, query bool) []byte {
	b = x.Start.Local().AppendFormat(b, time.TimeOnly)
	b = append(b, ' ')
	b = appendWord(b, x.Method)
	b = append(b, ' ')
	target := ShownPath(x, l.secrets)
	if query && x.Query != "" {
		target += "?" + l.shownQuery(x.Query)
	}
	b = appendWord(b, target)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(x.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, x.Bytes, 10)
	b = append(b, "B "...)
	b = appendMillis(b, x.Took)
	b = append(b, "ms"...)
	if x.Held > 0 {
		b = append(b, " held="...)
		b = appendMillis(b, x.Held)
		b = append(b, "ms"...)
	}
	b = appendPair(b, "host", x.Host)
	if x.Client.IsValid() {
		b = append(b, " client="...)
		b = x.Client.WithZone("").AppendTo(b)
	}
	b = appendPair(b, "route", x.Decision.Name())
	b = append(b, " stage="...)
	b = appendWordBytes(b, appendStage(nil, x.Decision.Stage()))
	b = appendPair(b, "served_by", x.ServedBy)
	b = appendPair(b, "fallback_reason", x.Fallback)
	b = appendPair(b, "no_fallback", x.NoFallback)
	b = appendPair(b, "failure", x.Failure)
	if x.Retries > 0 {
		b = append(b, " retries="...)
		b = strconv.AppendInt(b, int64(x.Retries), 10)
	}
	b = append(b, " config_version="...)
	b = strconv.AppendUint(b, x.ConfigVersion, 10)
	b = appendPair(b, "request_id", x.ID)
	b = appendPair(b, "trace_id", x.TraceID)
	return append(b, '\n')
}

func appendPair(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, '=')
	return appendWord(b, value)
}

// appendWord appends a text, in quotes if it is not one plain word.
func appendWord(b []byte, s string) []byte {
	plain := s != ""
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || len(s) > limitField {
			plain = false
			break
		}
	}
	if plain {
		return append(b, s...)
	}
	return appendQuoted(b, s)
}

func appendWordBytes(b, word []byte) []byte { return appendWord(b, string(word)) }

// appendMillis appends d in milliseconds, with three decimals.
func appendMillis(b []byte, d time.Duration) []byte {
	micros := max(0, d.Microseconds())
	b = strconv.AppendInt(b, micros/1000, 10)
	rest := micros % 1000
	return append(b, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}

func appendStage(b []byte, s route.Stage) []byte {
	b = append(b, s.Word()...)
	if !s.IsCanary() {
		return b
	}
	b = append(b, ' ')
	b = strconv.AppendFloat(b, float64(s.Share())/100, 'f', -1, 64)
	return append(b, '%')
}

const hex = "0123456789abcdef"

// appendQuoted appends s as a JSON text. What could begin a line or steer a terminal
// is escaped, what is no UTF-8 replaced, and what is too long cut off.
func appendQuoted(b []byte, s string) []byte {
	cut := len(s) > limitField
	if cut {
		s = s[:limitField]
	}
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		size := 1
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < utf8.RuneSelf:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b, size = appendRune(b, s[i:])
		}
		i += size
		from = i
	}
	b = append(b, s[from:]...)
	if cut {
		b = append(b, "…"...)
	}
	return append(b, '"')
}

func appendRune(b []byte, s string) ([]byte, int) {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1:
		return append(b, `\ufffd`...), size
	case r < 0xa0, r == 0x2028, r == 0x2029, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
		return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15]), size
	}
	return append(b, s[:size]...), size
}
