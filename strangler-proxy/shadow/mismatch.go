package shadow

import (
	"slices"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// keepPause is how long a full list of mismatches is left alone after one was kept: to
// write one down costs more than to count it.
const keepPause = 100 * time.Millisecond

// A MismatchRecord is what is kept of a mismatch. It holds no value of a header, cookie,
// parameter or member that the name of a secret belongs to, nor such a value anywhere
// else: "(secret)" stands in its place.
type MismatchRecord struct {
	Number    uint64           `json:"number"` // counts the route's mismatches that were kept
	Time      time.Time        `json:"time"`
	RequestID string           `json:"request_id"`
	Kind      string           `json:"kind"`     // of the worst finding
	Answered  string           `json:"answered"` // the side whose answer the client got
	Method    string           `json:"method"`
	Target    string           `json:"target"`         // path and query
	Header    []string         `json:"header"`         // of the request, a line each
	Body      string           `json:"body,omitempty"` // of the request
	Monolith  Side             `json:"monolith"`
	Service   Side             `json:"service"`
	Findings  []differ.Finding `json:"findings"` // Before is the monolith, After the service
	Diff      string           `json:"diff"`     // the findings to read
}

// A Side is one side's part of a MismatchRecord.
type Side struct {
	Name   string  `json:"name"`
	Status int     `json:"status"`
	TookMS float64 `json:"took_ms"`
	Curl   string  `json:"curl"` // a command line that asks this side again
}

// Mismatches are the last mismatches of a route.
type Mismatches struct {
	Route      string           `json:"route"`
	Stats      Stats            `json:"stats"`
	Noise      []NoisyPlace     `json:"noise"`      // places that do not count because the monolith varies, too
	Unused     []string         `json:"unused"`     // paths of compare.ignore that matched nothing so far
	Mismatches []MismatchRecord `json:"mismatches"` // the newest first
}

// Mismatches returns what is kept of a route, at most limit mismatches of it unless
// limit is 0, and false if there is no route of this name.
func (s *Shadow) Mismatches(name string, limit int) (Mismatches, bool) {
	r := s.table.Load().routes[name]
	if r == nil {
		return Mismatches{}, false
	}
	m := Mismatches{Route: name, Stats: r.stats.read(), Noise: r.stats.learned.noisy(), Unused: []string{}}
	for _, use := range r.differ.Unused() {
		m.Unused = append(m.Unused, use.Path)
	}
	r.stats.mu.Lock()
	m.Mismatches = slices.Clone(r.stats.kept)
	r.stats.mu.Unlock()
	slices.Reverse(m.Mismatches)
	if limit > 0 {
		m.Mismatches = m.Mismatches[:min(limit, len(m.Mismatches))]
	}
	if m.Mismatches == nil {
		m.Mismatches = []MismatchRecord{}
	}
	return m, true
}

// keepMismatch writes a mismatch down, without secrets.
func (t *Ticket) keepMismatch(o outcome, c *comparison) {
	st, keep := t.route.stats, t.route.Settings.Keep
	now := time.Now()
	st.mu.Lock()
	due := len(st.kept) < keep || now.Sub(st.keptAt) >= keepPause
	if due {
		st.keptAt = now
	}
	st.mu.Unlock()
	if !due || keep == 0 {
		return
	}
	record := t.record(o, c)
	record.Time = now
	st.mu.Lock()
	defer st.mu.Unlock()
	st.number++
	record.Number = st.number
	if st.kept = append(st.kept, record); len(st.kept) > keep {
		st.kept = slices.Delete(st.kept, 0, len(st.kept)-keep)
	}
}

func (t *Ticket) record(o outcome, c *comparison) MismatchRecord {
	red := newRedaction(t.route.differ.Redactor())
	target, fields := requestTarget(t.head.bytes), requestFields(t.head.bytes)
	red.learn(target, fields, c)
	answered := t.route.Service
	if t.lane.side != Monolith {
		answered = Monolith
	}
	m := MismatchRecord{
		RequestID: t.id, Kind: string(o.kind), Answered: answered, Method: t.method,
		Target: red.target(target), Header: red.lines(t.head.bytes),
		Body: red.body(fields.Get("Content-Type"), c.request), Findings: red.findings(o.result.Findings),
	}
	m.Diff = diffOf(m.Findings, o.result.Dropped)
	urls := t.shadow.table.Load().urls
	m.Monolith = Side{Name: Monolith, Status: c.monolith.Status, Curl: curl(urls[Monolith], m)}
	m.Service = Side{Name: t.route.Service, Status: c.service.Status, Curl: curl(urls[t.route.Service], m)}
	mine, other := &m.Monolith, &m.Service
	if t.lane.side == Monolith {
		mine, other = other, mine
	}
	mine.TookMS, other.TookMS = millis(t.primary.Took), millis(c.took)
	return m
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
