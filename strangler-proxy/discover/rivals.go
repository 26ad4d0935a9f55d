package discover

import (
	"cmp"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// rivals find out whether the monolith still gets requests of a route's endpoint past
// the route: conditions share out the requests of one endpoint among several routes.
type rivals struct {
	table *route.Table
	picky []rival // the routes with conditions that are not done
}

type rival struct {
	name  string
	alone *route.Table // the route without its conditions
}

func newRivals(table *route.Table) rivals {
	all := rivals{table: table}
	for _, r := range table.Routes() {
		if r.Stage == route.Done || !r.Match.Conditional() {
			continue
		}
		match, err := route.ParseTemplate(strings.TrimSpace(r.Match.Method + " " + r.Match.Path()))
		if err != nil {
			continue
		}
		if alone, err := route.Build([]route.Route{{Name: r.Name, Match: match}}); err == nil {
			all.picky = append(all.picky, rival{r.Name, alone})
		}
	}
	return all
}

// of says who lets requests of the same method and path through to the monolith; empty
// when nobody does.
func (r rivals) of(rt *route.Route) string {
	head := route.Head{Method: cmp.Or(rt.Match.Method, "GET"), Path: examplePath(rt.Match.Path())}
	for _, other := range r.picky {
		if found, err := other.alone.Find(head); err == nil && found != nil {
			return "route " + other.name + " takes a part of these requests and is not done"
		}
	}
	if !rt.Match.Conditional() {
		return ""
	}
	switch found, err := r.table.Find(head); {
	case err != nil || found == nil:
		return "requests that do not fulfil its conditions have no route"
	case found.Stage != route.Done:
		return "route " + found.Name + " takes the requests that do not fulfil its conditions and is not done"
	}
	return ""
}

// examplePath is a path that a template matches.
func examplePath(template string) string {
	segments := strings.Split(template, "/")
	for i, s := range segments {
		if s == "**" || strings.HasPrefix(s, "{") {
			segments[i] = "0"
		}
	}
	return strings.Join(segments, "/")
}
