package discover

import (
	"fmt"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A Report is the answer to GET /discover.
type Report struct {
	Schema     int        `json:"schema"`
	Since      time.Time  `json:"since"`       // when counting began
	QuietAfter string     `json:"quiet_after"` // after so long without a request something is dead
	Findings              // of the endpoints only those that no route takes
	Routes     []RouteUse `json:"routes"`
	BurnDown   BurnDown   `json:"burndown"`
	Next       []string   `json:"next_steps"`
}

// A RouteUse says when a route was last needed, and when it last needed the monolith.
type RouteUse struct {
	Route       string    `json:"route"`
	Match       string    `json:"match"`
	Stage       string    `json:"stage"`
	Since       time.Time `json:"since"`                   // the figures are those since then
	LastRequest time.Time `json:"last_request,omitzero"`   // of a client
	Dead        bool      `json:"dead"`                    // no request for a long time
	Requests    uint64    `json:"monolith_requests"`       // that the monolith was to answer
	Fallbacks   uint64    `json:"monolith_fallbacks"`      // that it was asked in place of the service
	Copies      uint64    `json:"monolith_copies"`         // that it got only for comparison
	LastCall    time.Time `json:"last_call,omitzero"`      // of the monolith, of any kind
	LastKind    string    `json:"last_call_kind,omitzero"` // request, fallback or copy
	QuietFor    float64   `json:"quiet_for_seconds"`       // so long a proxy ran without a call of the monolith
	Deletable   bool      `json:"deletable"`               // the monolith's code for it can be deleted
	Why         string    `json:"why"`                     // or why not
}

// Report tells everything that is known. Quiet is the time after which something
// without a request counts as dead, and a route that did not need the monolith as done.
func (j *Journal) Report(quiet time.Duration) Report {
	j.roll()
	r := Report{Schema: 1, Findings: j.Findings(quiet), Routes: []RouteUse{}, Next: []string{}}
	j.mu.Lock()
	defer j.mu.Unlock()
	r.Since = j.now().UTC()
	if len(j.known.Watched) > 0 {
		r.Since = time.Unix(j.known.Watched[0].From, 0).UTC()
	}
	if j.table == nil {
		return r
	}
	r.Endpoints = Unclaimed(r.Endpoints, j.table)
	rivals := newRivals(j.table)
	for _, rt := range j.table.Routes() {
		r.Routes = append(r.Routes, j.use(rt, quiet, rivals))
	}
	r.BurnDown = j.known.burnDown(j.now(), len(j.routes)+len(r.Endpoints), j.moved)
	return r
}

// BurnDown is the part of the report that says how far the migration is.
func (j *Journal) BurnDown() BurnDown {
	j.roll()
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.known.burnDown(j.now(), len(j.routes)+j.unclaimed(), j.moved)
	b.Hours, b.Days = nil, nil
	return b
}

// LastCalls is when each route in use last called the monolith, as far as is known.
func (j *Journal) LastCalls() map[string]time.Time {
	j.roll()
	j.mu.Lock()
	defer j.mu.Unlock()
	calls := map[string]time.Time{}
	for name := range j.routes {
		if h := j.known.Routes[name]; h != nil {
			if at, _ := h.Calls.lastMonolith(); at != 0 {
				calls[name] = time.Unix(at, 0)
			}
		}
	}
	return calls
}

// use is what is known of one route. The caller holds the lock.
func (j *Journal) use(rt *route.Route, quiet time.Duration, rivals rivals) RouteUse {
	u := RouteUse{Route: rt.Name, Match: rt.Match.String(), Stage: rt.Stage.String()}
	h := j.known.Routes[rt.Name]
	if h == nil {
		h = &history{Since: j.now().Unix()}
	}
	u.Since = time.Unix(h.Since, 0).UTC()
	u.Requests, u.Fallbacks, u.Copies = h.Calls[Request].N, h.Calls[Fallback].N, h.Calls[Copy].N
	last, kind := h.Calls.lastMonolith()
	if last != 0 {
		u.LastCall, u.LastKind = time.Unix(last, 0).UTC(), kindNames[kind]
	}
	asked := h.Calls.lastRequest()
	if asked != 0 {
		u.LastRequest = time.Unix(asked, 0).UTC()
	}
	u.Dead = j.seconds(max(h.Since, asked)) >= quiet
	silent := j.seconds(max(h.Since, last))
	u.QuietFor = silent.Seconds()
	u.Deletable, u.Why = verdict(rt, u, silent, quiet, rivals)
	return u
}

var kindNames = [...]string{"request", "fallback", "copy"} //nolint:gochecknoglobals // a constant that Go cannot spell

// seconds is for how long a proxy ran since then.
func (j *Journal) seconds(then int64) time.Duration {
	return time.Duration(j.known.watchedSince(then)) * time.Second
}

// verdict says whether the monolith's code for a route can be deleted, and why.
func verdict(rt *route.Route, u RouteUse, silent, quiet time.Duration, rivals rivals) (deletable bool, why string) {
	switch {
	case rt.Stage < route.Live:
		return false, "the monolith answers at stage " + u.Stage
	case rt.Stage < route.Done:
		return false, "the monolith stands by at stage " + u.Stage
	case silent < quiet && !u.LastCall.IsZero():
		return false, fmt.Sprintf("the monolith got a %s, and was watched for %s of %s since", u.LastKind, Short(silent), Short(quiet))
	case silent < quiet:
		return false, fmt.Sprintf("watched for %s of %s", Short(silent), Short(quiet))
	}
	if rival := rivals.of(rt); rival != "" {
		return false, rival
	}
	return true, fmt.Sprintf("0 calls to the monolith in %s", Short(silent))
}
