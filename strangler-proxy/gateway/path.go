package gateway

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A written is a route in the words of an HTTPRoute.
type written struct {
	route *config.Route
	path  PathMatch
}

// Types of a PathMatch and of values.
const (
	exact      = "Exact"
	prefix     = "PathPrefix"
	expression = "RegularExpression"
)

const (
	limitPath  = 1024
	limitName  = 256
	limitValue = 1024 // of query parameters; that of headers is larger
)

var (
	hostPattern = regexp.MustCompile(`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	namePattern = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$`)
)

// methods are those that an HTTPRoute knows.
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"} //nolint:gochecknoglobals // a constant that Go cannot spell

// expressible returns the routes that can be written, those of one path in the order
// in which the table tries them, and notes the others.
func (e *exporter) expressible() []written {
	var all []written
	reasons := map[*config.Route]string{}
	for i := range e.cfg.Routes {
		r := &e.cfg.Routes[i]
		path, reason := e.path(r)
		if reason == "" {
			reason = e.unfit(r)
		}
		if reason != "" {
			reasons[r] = reason
			continue
		}
		e.stageDifferences(r)
		all = append(all, written{r, path})
	}
	slices.SortStableFunc(all, compareWritten)
	for i := range e.cfg.Routes {
		if r := &e.cfg.Routes[i]; reasons[r] != "" {
			e.differs(LeftOut, reasons[r]+"; its requests "+instead(r, all), r.Name)
		}
	}
	return all
}

// instead says who takes the requests of a route that is left out: the longest prefix
// that stands before all of its path, for such methods.
func instead(r *config.Route, all []written) string {
	var next *written
	for i, w := range all {
		m := w.route.Match.Method
		if w.path.Type == prefix && (m == "" || m == r.Match.Method || r.Match.Method == "") && below(r.Match.Path(), w.path.Value) &&
			(next == nil || len(w.path.Value) > len(next.path.Value)) {
			next = &all[i]
		}
	}
	if next == nil {
		return "go to the monolith, whatever its stage"
	}
	return fmt.Sprintf("take route %s (%s) or go to the monolith, whatever its stage", next.route.Name, next.route.Stage)
}

func below(path, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// compareWritten orders by path, then routes with a method before those without, and
// HEAD before GET, which answers it too; then by conditions.
func compareWritten(a, b written) int {
	m, o := a.route.Match, b.route.Match
	return cmp.Or(
		m.ComparePath(o), strings.Compare(shape(a), shape(b)),
		compareBool(m.Method == "", o.Method == ""), compareBool(m.Method != http.MethodHead, o.Method != http.MethodHead),
		m.CompareConditions(o),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// shape is a route's template without the names of placeholders.
func shape(w written) string {
	segments := strings.Split(w.route.Match.Path(), "/")
	for i, s := range segments {
		if isPlaceholder(s) {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}

// path writes the path of a route, or says why it cannot.
func (e *exporter) path(r *config.Route) (PathMatch, string) {
	var literals []string // encoded
	segments := strings.Split(r.Match.Path()[1:], "/")
	rest := segments[len(segments)-1] == "**"
	if rest {
		segments = segments[:len(segments)-1]
	}
	template := slices.ContainsFunc(segments, isPlaceholder)
	for _, s := range segments {
		if isPlaceholder(s) && !e.opts.Regex {
			break
		}
		literals = append(literals, e.segment(s, template))
	}
	p := PathMatch{Type: exact, Value: "/" + strings.Join(literals, "/")}
	switch {
	case template && e.opts.Regex:
		e.differs(Expression, "a regular expression stands for the template: whether a gateway knows it, and before which paths it comes, depends on the implementation", r.Name)
		p = PathMatch{expression, "^" + p.Value + "$"}
		if rest {
			p.Value = strings.TrimSuffix(p.Value, "$") + "(/.*)?$"
		}
	case template && e.opts.Widen:
		e.differs(Widened, "the template "+r.Match.Path()+" is written as the prefix "+p.Value, r.Name)
		p.Type = prefix
	case template:
		return p, "the template " + r.Match.Path() + " is no exact path and no prefix: --regex or --widen can write it"
	case rest:
		p.Type = prefix
	}
	if len(p.Value) > limitPath {
		return p, "its path is longer than 1024 bytes"
	}
	return p, ""
}

func isPlaceholder(segment string) bool { return strings.HasPrefix(segment, "{") }

// segment encodes a segment of a template for a path or a regular expression.
func (e *exporter) segment(s string, template bool) string {
	if isPlaceholder(s) {
		return "[^/]+"
	}
	text, err := url.PathUnescape(s)
	if err != nil {
		text = s // the configuration was checked: this does not happen
	}
	if text = url.PathEscape(text); template && e.opts.Regex {
		return regexp.QuoteMeta(text)
	}
	return text
}

// unfit says why a route's conditions or method cannot be written.
func (e *exporter) unfit(r *config.Route) string {
	m := r.Match
	if m.Method != "" && !slices.Contains(methods, m.Method) {
		return "HTTPRoutes do not know the method " + m.Method
	}
	if m.Host() != "" {
		_, notIP := netip.ParseAddr(m.Host())
		if notIP == nil || len(m.Host()) > 253 || !hostPattern.MatchString(m.Host()) {
			return "the host " + m.Host() + " is none that an HTTPRoute may name"
		}
	}
	if len(m.Headers()) > limitAsked || len(m.Query()) > limitAsked {
		return "it asks for more headers or query parameters than an HTTPRoute may"
	}
	for _, c := range slices.Concat(m.Headers(), m.Query()) {
		switch {
		case len(c.Name) > limitName || !namePattern.MatchString(c.Name):
			return "HTTPRoutes cannot ask for the name " + c.Name
		case c.Value == "" || len(c.Value) > limitValue:
			return "HTTPRoutes cannot ask for an empty or so long a value of " + c.Name
		case c.Value == route.Any && !e.opts.Regex:
			return "an HTTPRoute cannot ask that " + c.Name + " is there with any value: --regex can write it"
		case c.Value == route.Any:
			e.differs(Expression, "a regular expression asks that "+c.Name+" is there: whether a gateway knows it depends on the implementation", r.Name)
		}
	}
	return ""
}
