package record

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"unique"
)

// volatile headers differ in every exchange, so nobody can compare their values.
var volatile = []string{"Date", "X-Request-Id", "Traceparent", "Tracestate", "X-Correlation-Id"}

// An interner lets equal headers share their memory: a run of ten thousand exchanges has a
// few hundred different ones. Of volatile headers it keeps that they are there. The
// headers that it returns are shared, and must not be changed.
type interner struct {
	known map[string]http.Header
	key   strings.Builder
}

const maxKnown = 20_000

func (n *interner) header(h http.Header) http.Header {
	for _, name := range volatile {
		if _, ok := h[name]; ok {
			h[name] = []string{"…"}
		}
	}
	n.key.Reset()
	for _, name := range slices.Sorted(maps.Keys(h)) {
		n.key.WriteString(name)
		for _, v := range h[name] {
			n.key.WriteByte(0)
			n.key.WriteString(v)
		}
		n.key.WriteByte(1)
	}
	key := n.key.String()
	if same, ok := n.known[key]; ok {
		return same
	}
	own := make(http.Header, len(h))
	for name, values := range h {
		kept := make([]string, len(values))
		for i, v := range values {
			kept[i] = unique.Make(v).Value()
		}
		own[unique.Make(name).Value()] = kept
	}
	if n.known == nil {
		n.known = map[string]http.Header{}
	}
	if len(n.known) < maxKnown {
		n.known[key] = own
	}
	return own
}
