package upstream

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/balance"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// An asking is one request to a target, whichever of its instances takes it.
type asking struct {
	req     *http.Request
	target  *exchange.Target
	timeout time.Duration
	hold    int64
	policy  *config.Fallback
	body    *body
}

// ask tries the instances of a target in turn until one takes the request.
func (f *Forwarder) ask(q asking) answer {
	if q.target.Pool == nil {
		return f.askOne(q, q.target.URLs[0])
	}
	turn := q.target.Pool.Turn()
	instance := turn.Next()
	for {
		result := f.askOne(q, instance.URL)
		judge(q, instance, result)
		if result.failure == nil || result.failure.Sent || !q.body.untouched() || q.req.Context().Err() != nil {
			return result
		}
		next := turn.Next()
		if next == nil {
			return result
		}
		instance = next
	}
}

// judge notes what an answer says about the instance.
func judge(q asking, instance *balance.Instance, a answer) {
	switch verdict(q.req, q.policy, a) {
	case well:
		instance.Succeeded()
	case ill:
		instance.Failed()
	case unknown:
	}
}

// limitStale is how many ended connections one request may come to; each is dropped.
const limitStale = 16

// askOne asks one instance. Kept connections that had ended say nothing about it: it
// is tried again.
func (f *Forwarder) askOne(q asking, instance *url.URL) answer {
	for stale := 0; ; stale++ {
		a := attempt{req: q.req, url: instance, timeout: q.timeout, body: q.body.open(), hold: q.hold}
		result := a.run(f.transport)
		if result.failure == nil || !result.failure.Stale || result.failure.Sent || stale == limitStale ||
			!q.body.untouched() || q.req.Context().Err() != nil {
			return result
		}
	}
}

// A condition is what an answer says about who gave it.
type condition int

const (
	unknown condition = iota // the client was the cause
	well
	ill
)

func verdict(req *http.Request, policy *config.Fallback, a answer) condition {
	switch {
	case a.failure != nil && (req.Context().Err() != nil || errors.Is(a.failure.Err, ErrClient)):
		return unknown
	case a.failure != nil, sick(a.response.StatusCode, policy):
		return ill
	}
	return well
}

// sick reports whether a status speaks against the service. 501 does not: the service
// is well and says that it has not learned this yet.
func sick(status int, policy *config.Fallback) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return policy.Status(status)
}
