package main

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stranglerfig/toolkit/internal/service/servicetest"
	"github.com/stranglerfig/toolkit/internal/shoptest"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	servicetest.Refuses(t, binary, owner, "catalog", nil)
}

// TestStartsWithoutTheMonolith: the program is alive, says what it lacks, and stops in
// order.
func TestStartsWithoutTheMonolith(t *testing.T) {
	t.Parallel()
	p, err := shoptest.Start(t.Context(), binary, "serve", "--addr", "127.0.0.1:0", "--db", filepath.Join(t.TempDir(), "reviews.db"),
		"--monolith", "http://127.0.0.1:1", "--log-level", "error")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	for path, status := range map[string]int{"/healthz": 200, "/metrics": 200, "/readyz": 503, "/api/products/1/reviews": 503} {
		do(t, nil, http.MethodGet, p.URL+path, nil).want(t, status)
	}
	for _, path := range []string{"/internal/reviews/average", "/internal/products/1/reviews"} {
		do(t, nil, http.MethodGet, p.URL+path, nil).want(t, http.StatusUnauthorized)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
