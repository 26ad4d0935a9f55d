package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

var errToken = Problemf(http.StatusUnauthorized, "unauthenticated", "send the internal token as Authorization: Bearer")

// Bearer lets those pass who know token. The comparison takes as long for any
// guess; without a token nobody passes.
func Bearer(token string) func(http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			got := sha256.Sum256([]byte(given))
			if token == "" || !strings.EqualFold(scheme, "bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
				w.Header().Set("WWW-Authenticate", "Bearer")
				Fail(w, r, 0, errToken)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// SameOrigin refuses writes that another site makes a browser send.
func SameOrigin() func(http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Fail(w, r, 0, Problemf(http.StatusForbidden, "forbidden", "requests from other sites are refused"))
	}))
	return protection.Handler
}
