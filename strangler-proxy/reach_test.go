package strangler_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// An upstream inside the house has a certificate of the house, and maybe a name of its own.
func TestUpstreamOverTLS(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	s := &echo{name: "s"}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "house.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	config := func(service string) string {
		return fmt.Sprintf("monolith: { url: %s, host: legacy.example }\nservices:\n  s: { url: %s, %s breaker: off }\nroutes:\n  r: { match: /s/**, to: s, stage: live, shadow: off }\n", m.URL, s.URL, service)
	}
	r := start(t, config(""))
	if got := r.do("GET", "/s/x", nil); got.Header.Get("X-Strangler-Fallback") != "connect_failed" || got.saw.Host != "legacy.example" {
		t.Errorf("a certificate that nobody vouches for: %v, host %q", got.Header, got.saw.Host)
	}
	r.write(config("ca: " + ca + ", host: \"example.com:8443\","))
	r.awaitVersion(1)
	for _, method := range []string{"GET", "POST", "GET"} {
		got := r.do(method, "/s/x", strings.NewReader("body"), "Host", "shop.example")
		if got.saw.Server != "s" || got.saw.Host != "example.com:8443" || got.saw.Header.Get("X-Forwarded-Host") != "shop.example" {
			t.Errorf("%s: %s by %q, host %q, %v", method, got.Status, got.saw.Server, got.saw.Host, got.saw.Header)
		}
	}
	if err := os.WriteFile(ca, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.proxy.Reload(); err == nil || !strings.Contains(err.Error(), "no certificate in PEM form") {
		t.Errorf("a file without certificates: %v", err)
	}
	if _, err := strangler.New(t.Context(), strangler.Options{ConfigPath: r.path}); err == nil {
		t.Error("it starts without the certificates that it needs")
	}
}

// Marks can be kept from clients; the log has them.
func TestMarksCanBeLeftOut(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, "marks: false\n"+oneRoute(m.URL, deadURL(t), "live"))
	got := r.do("GET", "/s/x", nil)
	for name := range got.Header {
		if strings.HasPrefix(name, "X-Strangler-") {
			t.Errorf("%s: %s", name, got.Header.Get(name))
		}
	}
	if got.Header.Get("X-Request-Id") == "" || got.StatusCode != http.StatusOK {
		t.Errorf("%v %v", got.Status, got.Header)
	}
	await(t, "the log line", func() bool { return strings.Contains(r.log.String(), `"fallback_reason":"connect_refused"`) })
}
