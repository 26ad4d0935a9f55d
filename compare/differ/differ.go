package differ

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// An Exchange is a request and the response to it, as one side gave it. Only Status,
// Header and Body are compared; the rest says what they mean. All may be absent.
type Exchange struct {
	Method  string      // of the request; empty counts as GET
	Path    string      // of the request, with its query
	Route   string      // as "GET /orders/{id}"; empty infers it, see [InferRoute]
	Request []byte      // body of the request; JSON in it tells which identifiers the client chose
	Status  int         // 0 is no answer
	Header  http.Header // of the response, names in canonical form
	Body    []byte      // of the response, without content encoding
	At      time.Time   // when it was answered; zero is unknown
	Rows    bool        // the body is an array of rows of a database, in any order
}

func (e Exchange) route() string {
	if e.Route != "" {
		return e.Route
	}
	return InferRoute(e.Method, e.Path)
}

func (e Exchange) writes() bool {
	switch e.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

// A Pair is the same request answered by both sides.
type Pair struct {
	Before, After Exchange
	Raced         bool // the requests were sent at once with others: which belongs to which is chance
}

// A Differ compares exchanges under compiled rules. Any number of goroutines may use it.
type Differ struct {
	rules      Rules
	limits     Limits
	ignore     []*rule
	relax      []*rule
	arrays     []*rule
	tolerances []*rule
	idRules    []*rule
	derived    []template
	headers    map[string]HeaderMode
	names      []string // of headers, sorted
	redact     *Redactor
	all        []*rule
	used       []atomic.Bool // by rule.number
	members    sync.Pool     // of *members
}

// New compiles rules. It fails with every problem they have, each with its place.
func New(rules Rules) (*Differ, error) {
	d := &Differ{rules: rules, limits: rules.Limits.orDefault(), redact: NewRedactor(rules.Salt, rules.Secrets...)}
	if d.rules.TimeSkew == 0 {
		d.rules.TimeSkew = 5 * time.Minute
	}
	c := &compiler{}
	if err := c.compile(d, rules); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	d.all, d.used = c.rules, make([]atomic.Bool, len(c.rules))
	d.names = sortedNames(d.headers)
	return d, nil
}

// Compare compares one pair, given what is known of BEFORE's noise; noise may be nil. Without
// the exchanges around it no identifier is known to be generated, so all must be equal.
func (d *Differ) Compare(noise *Noise, pair Pair) Result {
	w := d.walk(comparing, noise, nil, pair)
	w.exchange()
	return w.finish()
}

// CompareAll compares the pairs of one run, in the order in which they happened. It goes
// through them twice: first to bind the identifiers that writes minted, then to compare.
// It returns one Result for each pair.
func (d *Differ) CompareAll(noise *Noise, pairs []Pair) []Result {
	suite := d.Suite(noise)
	for _, pair := range pairs {
		suite.Bind(pair)
	}
	results := make([]Result, len(pairs))
	for i, pair := range pairs {
		results[i] = suite.Compare(pair)
	}
	return results
}

// Learn notes in noise where two answers of BEFORE to the same request differ. Answers with
// different statuses teach nothing but that.
func (d *Differ) Learn(noise *Noise, one, other Exchange) {
	w := d.walk(learning, noise, nil, Pair{Before: one, After: other})
	w.exchange()
	w.finish()
}

// A RuleUse names a rule, as "ignore[2]".
type RuleUse struct {
	Rule string `json:"rule"`
	Scope
}

// Unused lists the rules that matched no place in anything compared or learned so far.
func (d *Differ) Unused() []RuleUse {
	var list []RuleUse
	for _, r := range d.all {
		if !d.used[r.number].Load() {
			list = append(list, RuleUse{r.name, r.scope})
		}
	}
	return list
}

// Redactor returns the redactor that findings go through.
func (d *Differ) Redactor() *Redactor { return d.redact }
