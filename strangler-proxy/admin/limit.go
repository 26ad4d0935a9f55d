package admin

import (
	"net/http"
	"strconv"
)

// limitOf reads how many entries a client wants; 0 if it does not say. It answers what
// is no number, and then returns false.
func limitOf(w http.ResponseWriter, r *http.Request) (limit int, ok bool) {
	given := r.URL.Query().Get("limit")
	if given == "" {
		return 0, true
	}
	n, err := strconv.Atoi(given)
	if err != nil || n < 1 {
		text(w, http.StatusBadRequest, "limit must be a whole number from 1")
		return 0, false
	}
	return n, true
}
