package admin

import (
	"net/http"

	"github.com/stranglerfig/toolkit/strangler-proxy/trace"
)

// A Tracer knows the last requests that were traced.
type Tracer interface {
	// Traces returns at most limit of them, the newest first, or all unless limit is
	// positive.
	Traces(limit int) trace.Report
}

// traces shows the last requests with their attempts.
func traces(w http.ResponseWriter, r *http.Request, t Tracer) {
	limit, ok := limitOf(w, r)
	if !ok {
		return
	}
	answer(w, http.StatusOK, t.Traces(limit))
}
