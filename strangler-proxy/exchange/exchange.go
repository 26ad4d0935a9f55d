// Package exchange holds the one value that accompanies a request through the proxy
// and collects what happened to it. A value belongs to the goroutine that serves the
// request; log and metrics read it after the response has ended.
package exchange

import (
	"net/netip"
	"net/url"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/balance"
	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
	"github.com/stranglerfig/toolkit/strangler-proxy/retry"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// An Exchange is one request of a client, what shall happen to it and what did.
type Exchange struct {
	ID            string // the request id
	Start         time.Time
	Method        string
	Path          string     // as sent
	Query         string     // as sent, without the question mark
	Host          string     // as sent
	Client        netip.Addr // who asks, as far as trusted proxies vouch for it
	ConfigVersion uint64

	Marked   bool // the client is told who answered
	Decision route.Decision
	Plan     Plan

	// What happened. Empty or zero until it did.
	ServedBy string // config.MonolithName, a service's name or config.ProxyName
	Fallback string // why the monolith answered in place of the service

	// NoFallback says why the monolith could not answer in place of the service.
	NoFallback string

	// NoRetry reports that the service would have been asked again if its budget had allowed it.
	NoRetry bool

	Failure  string // why nobody could answer, in one word
	Status   int
	Bytes    int64 // of the response's body
	Upgraded bool
	Retries  int           // attempts beyond the first one at the same side
	Took     time.Duration // until the end of the response
	Held     time.Duration // of it: that a hold kept the request
	TraceID  string        // of the request's trace; empty if it is not traced
	Trace    Trace         // nil if it is not traced

	// ServiceFailed reports that the service was to answer and could not, whoever
	// answered then: a fallback and a breaker's refusal are the service's failures, too.
	ServiceFailed bool
}

// A Trace follows an exchange. The goroutine that serves the request uses it, until End.
type Trace interface {
	AppendHeader(dst []byte) []byte                 // the line that hands the trace on
	Attempt(target, instance string, fallback bool) // begins to ask an instance
	EndAttempt(status int, reason string)           // it answered, or did not for a reason
	End(x *Exchange)                                // nothing more happens
}

// A Plan says whom to ask, in which order.
type Plan struct {
	Service  *Target // nil: only the monolith
	Alone    bool    // the monolith may not stand in for the service
	Monolith *Target
	Fallback *config.Fallback
	Retry    *config.Retry // of the service; nil: none
	Waits    config.Waits  // of the service, and of all
}

// A Target is an upstream and what is known about its condition. Goroutines share it.
type Target struct {
	Name    string
	URLs    []*url.URL
	Origins []*origin.Origin // one for each url
	Timeout time.Duration
	Breaker *breaker.Breaker // nil: none
	Pool    *balance.Pool    // nil for one instance
	Retries *retry.Budget
}
