// Package admin serves the proxy's own pages: health, metrics, status, and the requests
// that move routes. It answers only programs of this machine, or those that have a
// token: requests with a foreign Host or from a foreign page are refused, and a GET
// changes nothing. Whatever a request moves, it moves by the file.
package admin

import (
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// A Status is the answer to GET /status.
type Status struct {
	Schema   int       `json:"schema"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Listen   string    `json:"listen"`
	Admin    string    `json:"admin"`
	Draining bool      `json:"draining"`
	InFlight int64     `json:"in_flight"`
	Panic    string    `json:"panic,omitempty"` // why every route is on the monolith for now
	Config   Config    `json:"config"`

	Certificates []listen.CertificateStatus `json:"certificates,omitempty"` // that clients are shown

	Monolith Upstream   `json:"monolith"`
	Services []Upstream `json:"services"`
	Routes   []Route    `json:"routes"`
	Default  Counters   `json:"default"` // requests without a route
	BurnDown BurnDown   `json:"burndown"`
	Splits   []Split    `json:"splits"`
	Next     []string   `json:"next_steps"`

	Holds []hold.Status `json:"holds"` // in force

	Advice []promote.Advice `json:"advice,omitempty"` // what has been left lying
}

// Config says which configuration is in use and whether the file holds another.
type Config struct {
	Path       string    `json:"path,omitempty"`
	State      string    `json:"state"`   // active, rejected, or none without a file
	Version    uint64    `json:"version"` // counts the configurations taken over
	Hash       string    `json:"hash"`
	Loaded     time.Time `json:"loaded"`
	FileHash   string    `json:"file_hash,omitempty"` // of the file as last read
	Errors     []string  `json:"errors,omitempty"`    // why the file is rejected
	NeedsStart []string  `json:"needs_restart,omitempty"`
}

// Upstream is the monolith or a service.
type Upstream struct {
	Name      string     `json:"name"`
	URLs      []string   `json:"urls"`
	Breaker   *Breaker   `json:"breaker,omitempty"`   // of a service that has one
	Instances []Instance `json:"instances,omitempty"` // of a service that has several
}

// Instance is one address of a service that has several.
type Instance struct {
	URL   string `json:"url"`
	State string `json:"state"` // well, easing, ejected or down
}

// Breaker says whether a service is asked, see package breaker.
type Breaker struct {
	State    string    `json:"state"` // closed, ramping, half-open or open
	Since    time.Time `json:"since"`
	Failures int       `json:"failures"` // among the last results
	Window   int       `json:"window"`   // how many results these are at most
	OpenAt   int       `json:"open_at"`  // failures that open it
	Opened   uint64    `json:"opened"`   // how often it has opened
	Share    float64   `json:"share"`    // of the requests that go to the service now
}

// Route is a route with its counters.
type Route struct {
	Name  string `json:"name"`
	Match string `json:"match"`
	To    string `json:"to,omitempty"`
	Stage string `json:"stage"`
	Counters
	Copies *shadow.Stats `json:"copies,omitempty"` // of a route with a service
	// Held says what of it the owner of its tables answers, whatever the stage says; empty: nothing.
	Held string `json:"held,omitempty"`

	Traffic    Traffic         `json:"traffic"`
	Automation *promote.Status `json:"automation,omitempty"` // of a route that moves by itself, or of its group
}

// BurnDown says how much of the monolith's work services do; its series are in GET /discover.
type BurnDown = discover.BurnDown

// Counters count requests since the proxy started.
type Counters struct {
	Monolith  uint64 `json:"monolith"`  // answered by the monolith
	Service   uint64 `json:"service"`   // answered by the service
	Fallbacks uint64 `json:"fallbacks"` // of those by the monolith: because the service could not
	Failed    uint64 `json:"failed"`    // answered by nobody
}

// Evidence is how a route's copies compared: so many in all, and of them so many that
// differed, as it has been of late. A mistake that was mended does not count for ever.
func (s Status) Evidence(name string) route.Evidence {
	for _, r := range s.Routes {
		if r.Name != name || r.Copies == nil {
			continue
		}
		e := route.Evidence{Compared: r.Copies.Compared, Mismatches: r.Copies.Mismatched}
		if of := uint64(r.Copies.Recent.Compared); of > 0 && of < e.Compared {
			e.Mismatches = (e.Compared*uint64(r.Copies.Recent.Mismatches) + of - 1) / of
		}
		return e
	}
	return route.Evidence{}
}
