package upstream_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
)

func target(t *testing.T, text string) *exchange.Target {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return &exchange.Target{Name: "x", URLs: []*url.URL{u}}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	if err := upstream.Probe(t.Context(), target(t, s.URL), 0, "/healthz"); err != nil {
		t.Error(err)
	}
	if err := upstream.Probe(t.Context(), target(t, s.URL), 0, ""); err != nil {
		t.Error(err)
	}
	if err := upstream.Probe(t.Context(), target(t, s.URL), 0, "/bad"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a sick service: %v", err)
	}
}

// The address that a name resolves to counts, not its spelling.
func TestLinkLocalAddressesAreNeverConnectedTo(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"http://169.254.169.254", "http://[fe80::1]:80", "http://[::ffff:169.254.169.254]"} {
		if err := upstream.Probe(t.Context(), target(t, text), 0, ""); err == nil || !strings.Contains(err.Error(), "link-local") {
			t.Errorf("%s: %v", text, err)
		}
		if err := upstream.Probe(t.Context(), target(t, text), 0, "/x"); err == nil || !strings.Contains(err.Error(), "link-local") {
			t.Errorf("%s/x: %v", text, err)
		}
	}
}
