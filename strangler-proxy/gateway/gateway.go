// Package gateway writes the routes of a configuration as HTTPRoutes of the Kubernetes
// Gateway API, for clusters whose gateway shall take the place of the proxy. What the
// HTTPRoutes say, they say exactly as the proxy decides: which route a request takes,
// who answers it, in which shares. What they cannot say is never left out silently:
// Export returns it as Differences.
package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// Options tune an Export. The zero value uses only what every implementation of the
// Gateway API has to support.
type Options struct {
	Name      string // of the HTTPRoutes, to which a number is added; "" means strangler
	Namespace string // of the HTTPRoutes; "" leaves it to whoever applies them
	Gateway   string // whose listeners serve them, NAME or NAMESPACE/NAME; "" means the value of Name

	// Regex writes templates such as /orders/{id}, and conditions that only ask for
	// presence, as regular expressions. Support and precedence depend on the implementation.
	Regex bool
	// Widen writes a template as the prefix before its first placeholder, which matches more.
	Widen bool
	// Timeouts writes the services' timeouts, which then bound the whole response.
	Timeouts bool
}

// A Difference is something that the proxy does and the HTTPRoutes do not.
type Difference struct {
	Kind   string   `json:"kind"`
	Routes []string `json:"routes,omitempty"` // whom it concerns; none means all
	Text   string   `json:"text"`
}

// The kinds of a Difference.
const (
	LeftOut     = "left-out"     // the route is not among the HTTPRoutes: its requests take the next one
	Widened     = "widened"      // the route takes more requests than in the proxy
	Hidden      = "hidden"       // a widened route takes all requests of the route
	Expression  = "expression"   // support and precedence of regular expressions vary
	Sticky      = "sticky"       // a client may change sides
	Cohort      = "cohort"       // a cohort is not exported
	Fallback    = "fallback"     // nobody answers for a service that cannot
	Breaker     = "breaker"      // nobody gives a failing service a rest
	Comparison  = "comparison"   // copies are not compared, or not made
	Done        = "done"         // done looks like live
	Backend     = "backend"      // a Service has to be made
	Timeout     = "timeout"      // is counted otherwise or not at all
	Precedence  = "precedence"   // two routes are told apart otherwise
	ForcedSide  = "force"        // trusted clients cannot choose the side
	Headers     = "headers"      // the proxy's own headers
	StrangePath = "strange-path" // paths that can be read in two ways
)

// A Result is what Export makes.
type Result struct {
	Routes      []*HTTPRoute
	Differences []Difference
}

// Limits of one HTTPRoute.
const (
	limitRules   = 16
	limitMatches = 64  // of a rule
	limitTotal   = 128 // matches of an HTTPRoute
	limitAsked   = 16  // headers, and query parameters, of a match
	limitRefs    = 16  // of a rule
	limitWritten = 50_000
)

// Export writes cfg. It fails on options that Kubernetes would not accept as names, and
// if the HTTPRoutes would be too many to be of use.
func Export(cfg *config.Config, opts Options) (*Result, error) {
	opts.Name = cmp.Or(opts.Name, "strangler")
	opts.Gateway = cmp.Or(opts.Gateway, opts.Name)
	if err := opts.check(); err != nil {
		return nil, err
	}
	e := &exporter{cfg: cfg, opts: opts, backends: backendsOf(cfg), written: map[string]bool{}}
	routes := e.expressible()
	result := &Result{}
	total := 0
	for _, host := range hostsOf(routes) {
		rules := e.rules(routes, host)
		if total += len(rules); total > limitWritten {
			return nil, fmt.Errorf("the hosts and routes make more than %d rules", limitWritten)
		}
		result.Routes = append(result.Routes, e.pack(rules, host)...)
	}
	for i, r := range result.Routes {
		r.Metadata.Name = fmt.Sprintf("%s-%0*d", opts.Name, max(2, len(fmt.Sprint(len(result.Routes)))), i+1)
	}
	for _, r := range routes {
		if !e.written[r.route.Name] {
			e.differs(Hidden, "another route takes all its requests, because it is written as a prefix", r.route.Name)
		}
	}
	e.general()
	result.Differences = e.differences()
	return result, nil
}

func (o *Options) check() error {
	namespace, gateway, both := strings.Cut(o.Gateway, "/")
	if !both {
		namespace, gateway = "", o.Gateway
	}
	for _, n := range []struct{ what, name string }{
		{"name", o.Name}, {"namespace", o.Namespace}, {"gateway", gateway}, {"namespace of the gateway", namespace},
	} {
		if n.name != "" && !labelPattern.MatchString(n.name) || both && n.what != "namespace" && n.name == "" {
			return fmt.Errorf("%q is no %s: small letters, digits and -, at most 63", n.name, n.what)
		}
	}
	return nil
}

// An exporter collects differences on its way.
type exporter struct {
	cfg      *config.Config
	opts     Options
	backends map[string]backend
	found    []Difference
	written  map[string]bool // names of routes that have a rule
}

// differs notes a difference for routes; those of one kind and text become one.
func (e *exporter) differs(kind, text string, routes ...string) {
	for i := range e.found {
		if e.found[i].Kind == kind && e.found[i].Text == text {
			for _, r := range routes {
				if !slices.Contains(e.found[i].Routes, r) {
					e.found[i].Routes = append(e.found[i].Routes, r)
				}
			}
			return
		}
	}
	e.found = append(e.found, Difference{kind, routes, text})
}

func (e *exporter) differences() []Difference {
	slices.SortStableFunc(e.found, func(a, b Difference) int {
		return cmp.Compare(slices.Index(kindOrder, a.Kind), slices.Index(kindOrder, b.Kind))
	})
	return e.found
}

// kindOrder puts first what changes who answers.
var kindOrder = []string{ //nolint:gochecknoglobals // a constant that Go cannot spell
	LeftOut, Hidden, Widened, Precedence, Expression, Cohort, Sticky, Fallback, Breaker, Comparison, Done, Backend, Timeout, ForcedSide, Headers, StrangePath,
}

// general notes what no HTTPRoute can say of any configuration.
func (e *exporter) general() {
	for _, s := range e.cfg.Services {
		if s.Breaker != nil {
			e.differs(Breaker, fmt.Sprintf("service %s has a breaker here; with a gateway it needs a policy of the implementation", s.Name))
		}
	}
	if len(e.cfg.Force.CIDRs) > 0 || e.cfg.Force.Secret != "" {
		e.differs(ForcedSide, "the header X-Strangler-Force and its cookie choose no side")
	}
	e.differs(Headers, "answers do not say who gave them (X-Strangler-Served-By and its like)")
	e.differs(StrangePath, "a path with encoded slashes, dot segments or empty segments is refused by the proxy when it could select two routes; what a gateway does with it depends on the implementation")
}

// A plan says who answers the requests of a rule.
type plan struct {
	service string // may be empty
	share   int    // of the service, in hundredths of a percent
	mirror  string // the service that gets copies; may be empty
	percent float64
}

// planOf is the plan for the reads or the writes of a route.
func (e *exporter) planOf(r *config.Route, reads bool) plan {
	p := plan{service: r.Service, share: r.Stage.Share()}
	switch {
	case r.Stage == route.Shadow:
		if (reads || r.Shadow.Sandbox) && r.Shadow.Percent > 0 {
			p.mirror, p.percent = r.Service, r.Shadow.Percent
		}
	case r.Stage.IsCanary() && !reads && r.Data == route.DataMoved:
		p.share = route.Everyone
	case r.Stage.IsCanary() && !reads && r.Data != route.DataNone:
		p.share = 0
	}
	if p.share == 0 {
		p.service = ""
	}
	return p
}

// stageDifferences notes what the stage of an exported route loses.
func (e *exporter) stageDifferences(r *config.Route) {
	switch {
	case r.Stage == route.Shadow && r.Shadow.Percent > 0:
		e.differs(Comparison, "copies go to the service, but nobody compares the answers", r.Name)
	case r.Stage.IsCanary():
		e.differs(Sticky, "a canary's client stays on its side here; the weights of an HTTPRoute are drawn for each request", r.Name)
		e.differs(Comparison, "the share of the monolith is not copied to the service: an HTTPRoute copies all requests of a rule or none", r.Name)
	case r.Stage == route.Live:
		e.differs(Comparison, "the monolith gets no copies to be compared with the service", r.Name)
	case r.Stage == route.Done:
		e.differs(Done, "done looks like live: an HTTPRoute never asks the monolith in place of a service", r.Name)
	}
	if (r.Stage.IsCanary() || r.Stage == route.Live) && !r.Fallback.None() {
		e.differs(Fallback, "the monolith does not answer in place of a service that cannot; clients get its errors", r.Name)
	}
	for _, c := range r.Cohorts {
		if r.Stage.IsCanary() && c.Peers.IsValid() {
			e.differs(Cohort, "the cohort of addresses "+c.Peers.String()+" is not sent to the service: HTTPRoutes do not match by address", r.Name)
		}
	}
}
