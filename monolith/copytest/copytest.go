package copytest

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/service/servicetest"
	"github.com/stranglerfig/toolkit/internal/shoptest"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/monolith"
)

// A Service is one that copies the shop's data.
type Service struct {
	Name   string
	Binary *string // its program
	Path   string  // one that it answers
	// Make returns what keeps the copy in an empty database equal to the shop at url, and
	// what answers out of it.
	Make func(db *sqlite.DB, url string, opts follow.Options) (*follow.Feed, http.Handler, error)
	// Walk returns what does something random in a shop that concerns the copy.
	Walk func(t *testing.T, s *Shop) func(*rand.Rand)
	// Settle, if not nil, ends what the shop still has to do.
	Settle func(t *testing.T, s *Shop)
	// Equal compares everything that was copied with the shop.
	Equal func(t *testing.T, s *Shop, serviceURL string)
}

// A Copy is a service in this process.
type Copy struct {
	service *Service
	db      *sqlite.DB
	*follow.Feed
	URL string
}

// Copy returns an empty copy of a shop, and serves it.
func (v *Service) Copy(t *testing.T, of *Shop) *Copy {
	t.Helper()
	db, err := service.Open(t.Context(), v.Name, filepath.Join(t.TempDir(), v.Name+".db"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c := &Copy{service: v, db: db}
	return c.Again(t, of)
}

// Again is what the service is after its next start, on the same file and the given shop.
func (c *Copy) Again(t *testing.T, of *Shop) *Copy {
	t.Helper()
	feed, handler, err := c.service.Make(c.db, of.URL, follow.Options{Token: monolith.DevInternalToken})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &Copy{c.service, c.db, feed, server.URL}
}

// CatchUp reads all that is new.
func (c *Copy) CatchUp(t *testing.T) *Copy {
	t.Helper()
	if err := c.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// walk goes some steps.
func (v *Service) walk(t *testing.T, s *Shop, steps int, step func(*rand.Rand), random *rand.Rand) {
	t.Helper()
	for range steps {
		step(random)
	}
	if v.Settle != nil {
		v.Settle(t, s)
	}
}

// SurvivesACutAtEveryStep cuts each request of the first copy off in turn, goes on with
// a new start on the same file, and wants the same end.
func (v *Service) SurvivesACutAtEveryStep(t *testing.T) {
	t.Parallel()
	s := NewShop(t)
	walk, random := v.Walk(t, s), rand.New(rand.NewPCG(3, 4))
	for step := 1; ; step++ {
		c := v.Copy(t, s)
		if !v.cut(t, s, c, step, func() { v.walk(t, s, 3, walk, random) }) { // the shop goes on while the service is away
			return
		}
	}
}

// SurvivesACutWhileFollowing does the same to a copy that is complete: what changed is
// read again in many requests, and each of them may fail.
func (v *Service) SurvivesACutWhileFollowing(t *testing.T) {
	t.Parallel()
	s := NewShop(t)
	walk, random := v.Walk(t, s), rand.New(rand.NewPCG(7, 8))
	c := v.Copy(t, s).CatchUp(t)
	for step := 1; ; step++ {
		v.walk(t, s, 3, walk, random)
		if !v.cut(t, s, c.Again(t, s), step, func() {}) {
			return
		}
	}
}

// cut cuts the request number step of the next look off. It reports false if that lies
// beyond the last request: then each was cut off once.
func (v *Service) cut(t *testing.T, s *Shop, c *Copy, step int, meanwhile func()) bool {
	t.Helper()
	reached := s.CutOff(step)
	err := c.Poll(t.Context())
	if (err != nil) != reached() {
		t.Fatalf("cut at request %d: reached %t, error %v", step, reached(), err)
	}
	meanwhile()
	s.Mend()
	t.Logf("cut at request %d: %v", step, err)
	v.Equal(t, s, c.Again(t, s).CatchUp(t).URL)
	return err != nil
}

// CopiesAnotherDatabaseAnew gives the service another, shorter history.
func (v *Service) CopiesAnotherDatabaseAnew(t *testing.T) {
	t.Parallel()
	first, second := NewShop(t), NewShop(t)
	v.walk(t, first, 10, v.Walk(t, first), rand.New(rand.NewPCG(5, 6)))
	c := v.Copy(t, first).CatchUp(t).Again(t, second)
	if err := c.Poll(t.Context()); err == nil {
		t.Fatal("the feed took another, shorter database for its own")
	}
	if c.Ready() {
		t.Error("ready with half a copy")
	}
	v.Equal(t, second, c.CatchUp(t).URL)
}

// start starts the program on a database.
func (v *Service) start(t *testing.T, s *Shop, db string) *shoptest.Process {
	t.Helper()
	return servicetest.Start(t, *v.Binary, "serve", "--addr", "127.0.0.1:0", "--db", db, "--monolith", s.URL, "--refresh", "20ms", "--log-level", "warn")
}

// OutlivesTheMonolith kills the program and takes the monolith away: the next start
// answers from what it has.
func (v *Service) OutlivesTheMonolith(t *testing.T) {
	t.Parallel()
	s := NewShop(t)
	db := filepath.Join(t.TempDir(), v.Name+".db")
	first := v.start(t, s, db)
	servicetest.WaitReady(t, first.URL)
	want := s.Same(t, first.URL, http.MethodGet, v.Path)
	first.Kill()
	s.CutOff(1)
	second := v.start(t, s, db)
	servicetest.WaitReady(t, second.URL)
	if got := Answer(t, http.MethodGet, second.URL+v.Path); got != want {
		t.Errorf("without the monolith: got %s, want %s", got, want)
	}
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
}

// SurvivesAKillInTheSnapshot kills the program while it waits for each request of its
// first copy in turn; the next start goes on and ends with the same.
func (v *Service) SurvivesAKillInTheSnapshot(t *testing.T) {
	t.Parallel()
	s := NewShop(t)
	walk, random := v.Walk(t, s), rand.New(rand.NewPCG(9, 10))
	for step := 1; ; step++ {
		db := filepath.Join(t.TempDir(), v.Name+".db")
		reached, release := s.Hold(step)
		first := v.start(t, s, db)
		held := waitHeld(t, reached, first.URL)
		if held && Status(t, first.URL+v.Path) != http.StatusServiceUnavailable {
			t.Errorf("held at request %d: half a copy was served", step)
		}
		first.Kill()
		release()
		v.walk(t, s, 3, walk, random) // the shop goes on while the service is away
		second := v.start(t, s, db)
		servicetest.WaitReady(t, second.URL)
		waitCaughtUp(t, second.URL)
		v.Equal(t, s, second.URL)
		if err := second.Stop(); err != nil {
			t.Error(err)
		}
		if !held {
			t.Logf("the first copy took fewer than %d requests", step)
			return // step lies beyond the snapshot: it was killed at each request once
		}
	}
}

// waitHeld waits until the service is held in its first copy, and reports false if it
// was ready before that.
func waitHeld(t *testing.T, reached <-chan struct{}, url string) bool {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if Status(t, url+"/readyz") == http.StatusOK {
			return false
		}
		select {
		case <-reached:
			return Status(t, url+"/readyz") != http.StatusOK
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
	for deadline := time.Now().Add(20 * time.Second); strings.Contains(Answer(t, http.MethodGet, url+"/healthz"), `"caught_up_at":null`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the service never caught up")
		}
	}
}
