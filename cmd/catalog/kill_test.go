package main

import (
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/service/servicetest"
	"github.com/stranglerfig/toolkit/internal/shoptest"
)

// TestSurvivesAKillInTheSnapshot kills the real program while it waits for each
// request of its first copy in turn; the next start goes on and ends with the same.
func TestSurvivesAKillInTheSnapshot(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	c := newCustomer(t, s)
	random := rand.New(rand.NewPCG(9, 10))
	for step := 1; ; step++ {
		db := filepath.Join(t.TempDir(), "catalog.db")
		start := func() *shoptest.Process {
			t.Helper()
			return servicetest.Start(t, binary, "serve", "--addr", "127.0.0.1:0", "--db", db, "--monolith", s.url, "--refresh", "20ms", "--log-level", "warn")
		}
		reached, release := s.holdAt(step)
		first := start()
		held := waitHeld(t, reached, first.URL)
		if held && status(t, first.URL+"/api/products/1") != http.StatusServiceUnavailable {
			t.Errorf("held at request %d: half a copy was served", step)
		}
		first.Kill()
		release()
		for range 3 {
			c.doAnything(t, random) // the shop goes on while the service is away
		}
		second := start()
		servicetest.WaitReady(t, second.URL)
		waitCaughtUp(t, second.URL)
		requireEqualRows(t, s, second.URL)
		if err := second.Stop(); err != nil {
			t.Error(err)
		}
		if !held {
			t.Logf("the first copy took fewer than %d requests", step)
			return // step lies beyond the snapshot: it was killed at each request once
		}
	}
}

// holdAt lets the n-th request to the read API from now, and all that follow, wait for
// release, which cuts them off.
func (s *shop) holdAt(n int) (reached <-chan struct{}, release func()) {
	held, over := make(chan struct{}), make(chan struct{})
	var count atomic.Int64
	hold := func() bool {
		switch at := count.Add(1); {
		case at < int64(n):
			return false
		case at == int64(n):
			close(held)
		}
		<-over
		return true
	}
	s.broken.Store(&hold)
	return held, func() {
		s.broken.Store(nil)
		close(over)
	}
}

// waitHeld waits until the service is held in its first copy, and reports false if it
// was ready before that.
func waitHeld(t *testing.T, reached <-chan struct{}, url string) bool {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if status(t, url+"/readyz") == http.StatusOK {
			return false
		}
		select {
		case <-reached:
			return status(t, url+"/readyz") != http.StatusOK
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("neither held nor ready")
		}
	}
}

// waitCaughtUp waits until the service has read all that there was when it started.
func waitCaughtUp(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); strings.Contains(answer(t, http.MethodGet, url+"/healthz", ""), `"caught_up_at":null`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the service never caught up")
		}
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
