package admin

import "github.com/stranglerfig/toolkit/strangler-proxy/promote"

// Traffic is how many requests a route gets: the mean of the last hour, or of the time
// since the proxy started.
type Traffic struct {
	promote.Rates
	Share float64 `json:"share"` // of all requests
}
