package admin

import (
	"net/http"

	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// A Copier knows what became of the copies of requests.
type Copier interface {
	// Mismatches returns the last mismatches of a route, at most limit of them unless
	// limit is 0, and false if there is no route of this name that has a service.
	Mismatches(route string, limit int) (shadow.Mismatches, bool)
}

// MismatchPage is the answer to GET /routes/{name}/mismatches.
type MismatchPage struct {
	Schema int `json:"schema"`
	shadow.Mismatches
}

// mismatches shows what differed between the two sides of a route.
func mismatches(w http.ResponseWriter, r *http.Request, c Copier) {
	limit, ok := limitOf(w, r)
	if !ok {
		return
	}
	found, ok := c.Mismatches(r.PathValue("name"), limit)
	if !ok {
		text(w, http.StatusNotFound, "there is no route of this name that has a service")
		return
	}
	answer(w, http.StatusOK, MismatchPage{Schema: 1, Mismatches: found})
}
