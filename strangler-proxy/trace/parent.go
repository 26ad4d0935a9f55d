package trace

import (
	"encoding/hex"

	otel "go.opentelemetry.io/otel/trace"
)

const (
	parentBytes = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	flagSampled = 1
)

// Parse reads a traceparent (W3C Trace Context, level 1). What is none gives an
// invalid context; of a later version, the part that is known counts.
func Parse(text []byte) otel.SpanContext {
	var none otel.SpanContext
	if len(text) < parentBytes || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return none
	}
	var version, flags [1]byte
	var trace otel.TraceID
	var span otel.SpanID
	if !lowerHex(version[:], text[:2]) || !lowerHex(trace[:], text[3:35]) || !lowerHex(span[:], text[36:52]) || !lowerHex(flags[:], text[53:55]) {
		return none
	}
	switch {
	case version[0] == 0xff, version[0] == 0 && len(text) > parentBytes, len(text) > parentBytes && text[parentBytes] != '-':
		return none
	}
	return otel.NewSpanContext(otel.SpanContextConfig{
		TraceID: trace, SpanID: span, TraceFlags: otel.TraceFlags(flags[0] & flagSampled), Remote: true,
	})
}

func lowerHex(dst, text []byte) bool {
	for _, c := range text {
		if c >= 'A' && c <= 'F' {
			return false
		}
	}
	_, err := hex.Decode(dst, text)
	return err == nil
}

// appendParent appends the traceparent of sc.
func appendParent(dst []byte, sc otel.SpanContext) []byte {
	trace, span := sc.TraceID(), sc.SpanID()
	dst = append(dst, "00-"...)
	dst = hex.AppendEncode(dst, trace[:])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, span[:])
	if sc.IsSampled() {
		return append(dst, "-01"...)
	}
	return append(dst, "-00"...)
}
