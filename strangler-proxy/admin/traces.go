package admin

import (
	"net/http"
	"strconv"

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
	limit := 0
	if given := r.URL.Query().Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 {
			text(w, http.StatusBadRequest, "limit must be a whole number from 1")
			return
		}
		limit = n
	}
	answer(w, http.StatusOK, t.Traces(limit))
}
