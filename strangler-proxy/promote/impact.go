package promote

import "github.com/stranglerfig/toolkit/strangler-proxy/route"

// Rates are how many requests of a route come in a minute.
type Rates struct {
	Reads  float64 `json:"reads_per_minute"`
	Writes float64 `json:"writes_per_minute"`
}

// Total is all of them.
func (r Rates) Total() float64 { return r.Reads + r.Writes }

// Moved is how many requests a minute another side answers once the route's stage is to
// instead of from. Cohorts and forced sides are not counted: nobody knows their share.
func (r Rates) Moved(from, to route.Stage, data route.Data) float64 {
	reads := r.Reads * shareMoved(from.Share(), to.Share())
	return reads + r.Writes*shareMoved(writesShare(from, data), writesShare(to, data))
}

func shareMoved(from, to int) float64 {
	return float64(max(from, to)-min(from, to)) / route.Everyone
}

// writesShare is the share of the writes that the service answers.
func writesShare(s route.Stage, data route.Data) int {
	switch {
	case !s.IsCanary(), data == route.DataNone:
		return s.Share()
	case data == route.DataMoved:
		return route.Everyone
	}
	return 0
}
