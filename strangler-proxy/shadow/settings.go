package shadow

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// Monolith is the name of the side that is no service.
const Monolith = "monolith"

// Settings say what is copied of a route's requests and how. The zero value copies nothing.
type Settings struct {
	Percent  float64       // of the requests that may be copied, 0 to 100
	Sandbox  bool          // also requests that change something, to a service that can bear it
	MaxBody  int           // bytes of a request's and of an answer's body; more is not copied
	Timeout  time.Duration // for the copy's answer to be complete
	Baseline float64       // percentage of the copies for which the monolith is asked once more
	Keep     int           // mismatches that are kept
	LiveRate float64       // copies a second to the monolith, for each route; 0: no bound
	Limits   Limits        // of this route alone, within those of the side
}

// Limits bound the copies to one side, or of one route. 0 is no bound of one's own.
type Limits struct {
	InFlight int     // copies that are asked at a time
	Queue    int     // copies that wait
	Rate     float64 // copies a second
}

// Default returns the settings of a route that says nothing else. Its Limits are those
// of a side.
func Default() Settings {
	return Settings{
		Percent: 100, MaxBody: 256 << 10, Timeout: 5 * time.Second, Keep: 20, LiveRate: DefaultLiveRate,
		Limits: Limits{InFlight: 64, Queue: 256},
	}
}

// DefaultLiveRate is how many copies a second of a live route's requests go back to the
// monolith. They look for what only shows under all of the traffic, and a sample of it
// shows that: the service must not pay for each request twice from then on.
const DefaultLiveRate = 100

// DefaultMargin is how much more often, in percent of the comparisons, the service may
// differ from the monolith in a noisy place than the monolith from itself.
const DefaultMargin = 5

// Rules say how the answers of a route are compared.
type Rules struct {
	Ignore  []string // JSON paths into the bodies
	Headers []string // that are compared; nil means those of differ.DefaultHeaders
	Secrets []string // further names of headers, parameters and members that are never shown
	Margin  float64  // percentage, see DefaultMargin
}

// compile checks the rules and makes them ready.
func (r Rules) compile() (*differ.Differ, error) {
	rules := differ.Rules{Secrets: r.Secrets}
	for _, path := range r.Ignore {
		rules.Ignore = append(rules.Ignore, differ.Ignore{Scope: differ.Scope{Path: path}})
	}
	if r.Headers != nil {
		known := differ.DefaultHeaders()
		rules.Headers = map[string]differ.HeaderMode{}
		for name := range known {
			rules.Headers[name] = differ.HeaderIgnore
		}
		for _, name := range r.Headers {
			name = http.CanonicalHeaderKey(name)
			mode, ok := known[name]
			if !ok {
				mode = differ.HeaderExact
			}
			rules.Headers[name] = mode
		}
	}
	return differ.New(rules)
}

// CheckIgnore says what is wrong with a JSON path of Rules.Ignore.
func CheckIgnore(path string) error {
	_, err := Rules{Ignore: []string{path}}.compile()
	return err
}

// equal reports whether two sets of rules give the same verdicts.
func (r Rules) equal(o Rules) bool {
	return slices.Equal(r.Ignore, o.Ignore) && slices.Equal(r.Headers, o.Headers) && (r.Headers == nil) == (o.Headers == nil) &&
		slices.Equal(r.Secrets, o.Secrets) && r.Margin == o.Margin
}

// A Route is what must be known of a route to copy its requests.
type Route struct {
	Name     string
	Match    string // as in the file, for the comparison
	Service  string // the side that is no monolith
	Settings Settings
	Rules    Rules
}

// A Config is everything that a configuration file says about copies.
type Config struct {
	Limits  Limits // of each side; InFlight and Queue must be given
	MaxBody int    // with Limits.Queue it bounds the bytes kept for a side
	Routes  []Route
	URLs    map[string]string // of each side, one of its addresses: for lines that ask it again
}

// compiled is a Route whose rules are ready.
type compiled struct {
	Route
	differ  *differ.Differ
	dated   bool   // Date is compared
	pattern string // by which noise is gathered; empty: by what each path looks like
}

func compile(routes []Route) ([]compiled, error) {
	list := make([]compiled, 0, len(routes))
	for _, r := range routes {
		d, err := r.Rules.compile()
		if err != nil {
			return nil, fmt.Errorf("route %s: compare: %w", r.Name, err)
		}
		r.Rules.Ignore, r.Rules.Headers, r.Rules.Secrets = slices.Clone(r.Rules.Ignore), slices.Clone(r.Rules.Headers), slices.Clone(r.Rules.Secrets)
		c := compiled{Route: r, differ: d}
		c.dated = slices.ContainsFunc(r.Rules.Headers, func(name string) bool { return strings.EqualFold(name, "Date") })
		if !strings.Contains(r.Match, "**") {
			c.pattern = r.Match
		}
		list = append(list, c)
	}
	return list, nil
}
