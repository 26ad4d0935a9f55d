package main

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stranglerfig/toolkit/internal/service/servicetest"
	"github.com/stranglerfig/toolkit/internal/shoptest"
)

var binary string // the real program

func TestMain(m *testing.M) { servicetest.Main(m, owner, &binary) }

func TestBadInput(t *testing.T) {
	t.Parallel()
	servicetest.Refuses(t, binary, owner, "reviews", map[string]servicetest.Refusal{
		"unknown bug": {Args: []string{"serve"}, Bug: "recommendations-odd", Want: "recommendations-slow"},
	})
}

func TestHelpNamesTheDrills(t *testing.T) {
	t.Parallel()
	servicetest.NamesDrills(t, binary, "recommendations-slow", "recommendations-garbage", "recommendations-wrong", "recommendations-image")
}

// TestOutlivesTheMonolith kills the service and takes the monolith away: the next
// start answers from what it has.
func TestOutlivesTheMonolith(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	db := filepath.Join(t.TempDir(), "recommendations.db")
	start := func() *shoptest.Process {
		t.Helper()
		p := servicetest.Start(t, binary, "serve", "--addr", "127.0.0.1:0", "--db", db, "--monolith", s.url, "--refresh", "20ms")
		servicetest.WaitReady(t, p.URL)
		return p
	}
	first := start()
	const path = "/api/products/1/recommendations"
	want := answer(t, http.MethodGet, s.url+path, "application/json")
	if got := answer(t, http.MethodGet, first.URL+path, "application/json"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	first.Kill()
	away := func() bool { return true }
	s.broken.Store(&away)
	second := start()
	if got := answer(t, http.MethodGet, second.URL+path, "application/json"); got != want {
		t.Errorf("without the monolith: got %s, want %s", got, want)
	}
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
}
