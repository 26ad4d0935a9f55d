// Package copytest tests services that copy the shop's data and answer in its place: a
// real, seeded shop whose read API can be cut off, customers who use it, and what holds
// for each such copy, whatever happens to either side.
package copytest

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/seed"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

// A Shop is a real, seeded monolith in this process.
type Shop struct {
	*monolith.Shop
	DB     *sqlite.DB
	URL    string
	broken atomic.Pointer[func() bool] // asked before each request to the read API: cut this one off?
}

// NewShop returns a shop of its own.
func NewShop(t *testing.T) *Shop {
	t.Helper()
	db := testkit.Open(t)
	if err := seed.Run(t.Context(), db, seed.Options{Scale: 1}); err != nil {
		t.Fatal(err)
	}
	inner, err := monolith.New(db, monolith.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	s := &Shop{Shop: inner, DB: db}
	handler := inner.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cut := s.broken.Load(); cut != nil && strings.HasPrefix(r.URL.Path, "/internal/") && (*cut)() {
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// CutOff cuts off the n-th request to the read API from now and all that follow, until
// Mend.
func (s *Shop) CutOff(n int) (reached func() bool) {
	var count atomic.Int64
	cut := func() bool { return count.Add(1) >= int64(n) }
	s.broken.Store(&cut)
	return func() bool { return count.Load() >= int64(n) }
}

// Mend ends what cuts requests off.
func (s *Shop) Mend() { s.broken.Store(nil) }

// Hold lets the n-th request to the read API from now, and all that follow, wait for
// release, which cuts them off.
func (s *Shop) Hold(n int) (reached <-chan struct{}, release func()) {
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
		s.Mend()
		close(over)
	}
}

// Answer is all of an answer that a client may rely on. header are pairs of a name and a
// value.
func Answer(t *testing.T, method, address string, header ...string) string {
	t.Helper()
	res := send(t, method, address, header)
	res.Header.Del("Date")
	return fmt.Sprintf("%s\n%v\n%s", res.Status, res.Header, res.body)
}

type answer struct {
	*http.Response
	body []byte
}

func send(t *testing.T, method, address string, header []string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	req.Header.Set("X-Request-Id", "the-same")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, body}
}

// Same wants the same answer from the service as from the shop, and returns it.
func (s *Shop) Same(t *testing.T, serviceURL, method, path string, header ...string) string {
	t.Helper()
	want, got := Answer(t, method, s.URL+path, header...), Answer(t, method, serviceURL+path, header...)
	if want != got {
		t.Fatalf("%s %s (%s)\nmonolith: %s\nservice:  %s", method, path, header, want, got)
	}
	return got
}

// Status is that of a GET.
func Status(t *testing.T, address string) int {
	t.Helper()
	return send(t, http.MethodGet, address, nil).StatusCode
}
