package proxyclient_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stranglerfig/toolkit/internal/proxyclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Against proxies that are what they should be, strangler-proxy tests this package.

// serve is something that listens where a proxy should.
func serve(t *testing.T, handle http.HandlerFunc) proxyclient.Proxy {
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return proxyclient.Proxy{URL: s.URL, Token: "a token of sixteen"}
}

func open(t *testing.T, o proxyclient.Order, all ...proxyclient.Proxy) *proxyclient.Proxies {
	t.Helper()
	o.Split, o.Holder, o.Flip = "reviews", "a test", []string{"r"}
	p, err := proxyclient.New(all, o, proxyclient.Options{Timeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestAddressesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "127.0.0.1:8081", "ftp://h", "http://", "http://h/path", "http://h?x=1", "http://u:p@h", "http://h#f", "file:///etc"} {
		if _, err := proxyclient.New([]proxyclient.Proxy{{URL: address}}, proxyclient.Order{}, proxyclient.Options{}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := proxyclient.New([]proxyclient.Proxy{{URL: "https://h:1/"}}, proxyclient.Order{}, proxyclient.Options{}); err != nil {
		t.Error(err)
	}
}

func TestWithoutProxiesEverythingSucceeds(t *testing.T) {
	t.Parallel()
	p := open(t, proxyclient.Order{})
	_, check := p.Check(t.Context(), "target")
	_, follow := p.Follow(t.Context(), "target", 1)
	if err := errors.Join(check, p.Hold(t.Context()), p.Drain(t.Context(), time.Second), follow, p.Report(t.Context(), proxyclient.Report{}), p.Release(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestAnswersThatNoProxyGives(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"another server": {func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }, "it answered 404"},
		"no JSON":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "is not understood"},
		"a redirect": {func(w http.ResponseWriter, _ *http.Request) {
			http.Redirect(w, &http.Request{Method: "GET"}, "http://127.0.0.1:1/", http.StatusFound)
		}, "it answered 302"},
		"silence": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, "did not answer within"},
		"an end": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"an objection": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"error":{"code":"claimed","message":"it belongs to x","remedy":"leave it"}}`)
		}, "it belongs to x (leave it)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := serve(t, c.answer)
			p := open(t, proxyclient.Order{}, one)
			_, err := p.Check(t.Context(), "target")
			var failed *proxyclient.Error
			if !errors.As(err, &failed) || failed.Proxy != one.URL || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), one.URL) {
				t.Fatalf("%v; want %q", err, c.want)
			}
			if errors.Is(err, proxyclient.ErrClaimed) != (name == "an objection") {
				t.Errorf("claimed? %v", err)
			}
			if strings.Contains(err.Error(), "sixteen") {
				t.Error("the error holds the token")
			}
		})
	}
}

// If one proxy cannot hold, those that could are released.
func TestHoldIsAllOrNothing(t *testing.T) {
	t.Parallel()
	var held, released atomic.Int64
	good := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer a token of sixteen" {
			t.Error("no token")
		}
		switch r.Method {
		case http.MethodPost:
			held.Add(1)
		case http.MethodDelete:
			released.Add(1)
		}
	})
	bad := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	p := open(t, proxyclient.Order{}, good, bad)
	err := p.Hold(t.Context())
	if err == nil || strings.Contains(err.Error(), good.URL) || !strings.Contains(err.Error(), bad.URL) {
		t.Errorf("%v", err)
	}
	if held.Load() != 1 || released.Load() != 1 {
		t.Errorf("held %d times, released %d times; want 1 and 1", held.Load(), released.Load())
	}
}

func TestHoldIsRenewedUntilItIsLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]http.HandlerFunc{
		"no hold": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error":{"code":"no_hold","message":"it has ended"}}`)
		},
		"not reached": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var renewals atomic.Int64
			var over atomic.Bool
			one := serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method != http.MethodPut:
				case over.Load():
					lose(w, r)
				default:
					renewals.Add(1)
				}
			})
			p := open(t, proxyclient.Order{TTL: 200 * time.Millisecond}, one)
			if err := p.Hold(t.Context()); err != nil {
				t.Fatal(err)
			}
			for renewals.Load() < 3 {
				time.Sleep(time.Millisecond)
			}
			select {
			case <-p.Lost():
				t.Fatal(p.Err())
			default:
			}
			over.Store(true)
			<-p.Lost()
			if err := p.Err(); err == nil || errors.Is(err, proxyclient.ErrNoHold) != (name == "no hold") {
				t.Errorf("lost because of %v", err)
			}
		})
	}
}
