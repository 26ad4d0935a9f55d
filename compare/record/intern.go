package record

import (
	"net/http"
	"unique"
)

// intern makes equal names and values of headers share their memory: a run of ten thousand
// exchanges has a few hundred different ones.
func intern(h http.Header) http.Header {
	for name, values := range h {
		for i, v := range values {
			values[i] = unique.Make(v).Value()
		}
		delete(h, name)
		h[unique.Make(name).Value()] = values
	}
	return h
}
