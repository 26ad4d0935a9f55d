package discover

import (
	"cmp"
	"slices"
	"time"
)

// A Point is the state of the migration in an hour or a day.
type Point struct {
	At             time.Time `json:"at"`              // its beginning
	Monolith       uint64    `json:"monolith"`        // requests that the monolith answered
	Service        uint64    `json:"service"`         // requests that services answered
	Endpoints      int       `json:"endpoints"`       // routes, and endpoints without one, at its end
	EndpointsMoved int       `json:"endpoints_moved"` // of those: routes at live or done
}

// How many points are kept.
const (
	limitHours = 72
	limitDays  = 400
)

// A BurnDown says how much of the monolith's work services do.
type BurnDown struct {
	Endpoints      int     `json:"endpoints"`
	EndpointsMoved int     `json:"endpoints_moved"`
	EndpointsShare float64 `json:"endpoints_share"`
	Requests       uint64  `json:"requests"`       // answered in the last 24 hours
	RequestsMoved  uint64  `json:"requests_moved"` // of those: by services
	RequestsShare  float64 `json:"requests_share"`
	Hours          []Point `json:"hours,omitempty"` // the last three days
	Days           []Point `json:"days,omitempty"`  // the last 400
}

func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

// addPoints adds up the points of the same time and keeps the newest.
func addPoints(points, more []Point, limit int) []Point {
	all := slices.Clone(points)
	for _, p := range more {
		i, found := slices.BinarySearchFunc(all, p, func(a, b Point) int { return cmp.Compare(a.At.Unix(), b.At.Unix()) })
		if !found {
			all = slices.Insert(all, i, p)
			continue
		}
		all[i].Monolith += p.Monolith
		all[i].Service += p.Service
		if p.Endpoints > 0 {
			all[i].Endpoints, all[i].EndpointsMoved = p.Endpoints, p.EndpointsMoved
		}
	}
	return all[max(0, len(all)-limit):]
}

// burnDown sums the series up, at now.
func (s *state) burnDown(now time.Time, endpoints, moved int) BurnDown {
	b := BurnDown{
		Endpoints: endpoints, EndpointsMoved: moved, EndpointsShare: share(float64(moved), float64(endpoints)),
		Hours: s.Hours, Days: s.Days,
	}
	for _, p := range s.Hours {
		if now.Sub(p.At) < 24*time.Hour {
			b.Requests += p.Monolith + p.Service
			b.RequestsMoved += p.Service
		}
	}
	b.RequestsShare = share(float64(b.RequestsMoved), float64(b.Requests))
	return b
}
