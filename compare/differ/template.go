package differ

import (
	"net/url"
	"strings"
)

// InferRoute returns the method and the path with generated segments as {}: numbers,
// UUIDs, ULIDs, long hexadecimal and other generated values. The query is dropped.
func InferRoute(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if s, err := url.PathUnescape(part); err == nil && isData(s) {
			parts[i] = "{}"
		}
	}
	return strings.TrimSpace(method + " " + strings.Join(parts, "/"))
}

// lastLiteral returns the last segment of a route that is no parameter.
func lastLiteral(route string) string {
	if _, path, found := strings.Cut(route, " "); found {
		route = path
	}
	parts := strings.Split(route, "/")
	for i := len(parts) - 1; i >= 0; i-- {
		if p := parts[i]; p != "" && !strings.ContainsAny(p, "{}*") {
			return p
		}
	}
	return ""
}

// location is a path and query in pieces that can be compared one by one.
type location struct {
	segments []string
	query    url.Values
}

func locate(path string) location {
	path, query, _ := strings.Cut(path, "?")
	l := location{segments: strings.Split(path, "/")}
	for i, s := range l.segments {
		if plain, err := url.PathUnescape(s); err == nil {
			l.segments[i] = plain
		}
	}
	l.query, _ = url.ParseQuery(query) // what does not parse is left out on both sides
	return l
}
