package discover

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Endpoint is a method and a path template that requests were seen at.
type Endpoint struct {
	Method       string    `json:"method"`
	Path         string    `json:"path"` // a template as routes have it
	Requests     uint64    `json:"requests"`
	Errors       uint64    `json:"errors"`        // answered 5xx
	ClientErrors uint64    `json:"client_errors"` // answered 4xx
	ErrorRate    float64   `json:"error_rate"`    // errors among requests
	P95          Millis    `json:"p95_ms"`
	First        time.Time `json:"first_seen"`
	Last         time.Time `json:"last_seen"`
	Silent       bool      `json:"silent"` // no request for a long time
}

// Millis is a duration that JSON has as a number of milliseconds.
type Millis time.Duration

// MarshalJSON implements json.Marshaler.
func (m Millis) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Duration(m).Microseconds())/1000, 'f', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *Millis) UnmarshalJSON(text []byte) error {
	ms, err := strconv.ParseFloat(string(text), 64)
	*m = Millis(ms * float64(time.Millisecond))
	return err
}

// Match is the endpoint as the match of a route.
func (e Endpoint) Match() string { return e.Method + " " + e.Path }

// Example is a path that the endpoint's template matches.
func (e Endpoint) Example() string { return examplePath(e.Path) }

// Findings are what an Observer has found out.
type Findings struct {
	Endpoints []Endpoint `json:"endpoints"` // the most requested first
	Other     uint64     `json:"other"`     // requests that no template can describe, or beyond the limits
	Unknown   uint64     `json:"unknown"`   // requests to unknown paths, answered 404 or so
	Dropped   uint64     `json:"dropped"`   // requests that came too fast to be looked at
}

// Findings lists the endpoints. Those without a request for longer than quiet are
// marked as silent.
func (o *Observer) Findings(quiet time.Duration) Findings {
	t := o.all()
	var l lister
	l.list(t.Root, nil, nil)
	f := Findings{Endpoints: []Endpoint{}, Other: t.Other, Unknown: t.Unknown, Dropped: o.Dropped()}
	silent := o.now().Add(-quiet)
	for _, one := range l.all {
		last := time.Unix(one.figures.Last, 0).UTC()
		f.Endpoints = append(f.Endpoints, Endpoint{
			Method: one.method, Path: one.path,
			Requests: one.figures.Requests, Errors: one.figures.Errors, ClientErrors: one.figures.ClientErrors,
			ErrorRate: float64(one.figures.Errors) / float64(max(one.figures.Requests, 1)),
			P95:       Millis(one.figures.quantile(0.95)),
			First:     time.Unix(one.figures.First, 0).UTC(), Last: last, Silent: last.Before(silent),
		})
	}
	slices.SortFunc(f.Endpoints, func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return f
}

// A lister walks a tree and writes down the templates.
type lister struct{ all []listed }

type listed struct {
	method, path string
	figures      *figures
}

// list adds n, which stands for way, and what is below it. A template with ** takes in
// those below it, by method: above are their figures.
func (l *lister) list(n *node, way []string, above map[string]*figures) {
	for _, method := range slices.Sorted(maps.Keys(n.Here)) {
		l.add(method, way, n.Here[method])
	}
	below := maps.Clone(above)
	for _, method := range slices.Sorted(maps.Keys(n.Rest)) {
		if sum := above[method]; sum != nil {
			sum.add(n.Rest[method])
			continue
		}
		if below == nil {
			below = map[string]*figures{}
		}
		below[method] = l.add(method, append(slices.Clip(way), "**"), n.Rest[method])
	}
	for _, text := range slices.Sorted(maps.Keys(n.Literals)) {
		l.list(n.Literals[text], append(slices.Clip(way), url.PathEscape(text)), below)
	}
	if n.Placeholder != nil {
		l.list(n.Placeholder, append(slices.Clip(way), nameOf(n.Kinds, way)), below)
	}
}

func (l *lister) add(method string, way []string, f *figures) *figures {
	l.all = append(l.all, listed{method, "/" + strings.Join(way, "/"), f})
	return f
}

// nameOf names a placeholder by what it stands for; names are unique in a template.
func nameOf(k kinds, way []string) string {
	name := "id"
	switch {
	case k.has(ident):
	case k.has(date):
		name = "date"
	case k.has(slug), k.has(word):
		name = "slug"
	}
	taken := 1
	for _, p := range way {
		if strings.HasPrefix(p, "{"+name) {
			taken++
		}
	}
	if taken > 1 {
		name = fmt.Sprintf("%s%d", name, taken)
	}
	return "{" + name + "}"
}
