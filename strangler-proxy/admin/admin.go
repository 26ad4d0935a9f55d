package admin

import (
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
)

// A Proxy is what the pages show and steer.
type Proxy interface {
	Status() Status
	Ready() error  // why no traffic should come; nil when it may
	Reload() error // reads the configuration again; the error says why it was rejected
	Discovery() discover.Report
	Copier
	Tracer
}

// Routes returns the handler of the admin listener.
func Routes(p Proxy, metrics prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w, p) })
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, p.Status()) })
	mux.HandleFunc("GET /discover", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, p.Discovery()) })
	mux.HandleFunc("GET /routes/{name}/mismatches", func(w http.ResponseWriter, r *http.Request) { mismatches(w, r, p) })
	mux.HandleFunc("GET /traces", func(w http.ResponseWriter, r *http.Request) { traces(w, r, p) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, r *http.Request) { reload(w, r, p) })
	return guard(mux)
}

func index(w http.ResponseWriter, _ *http.Request) {
	text(w, http.StatusOK, "strangler proxy\n\n/healthz\n/readyz\n/status\n/discover\n/routes/NAME/mismatches\n/traces\n/metrics\nPOST /-/reload")
}

func ready(w http.ResponseWriter, p Proxy) {
	if err := p.Ready(); err != nil {
		text(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	text(w, http.StatusOK, "ready")
}

func reload(w http.ResponseWriter, r *http.Request, p Proxy) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "" && kind != "application/json" {
		text(w, http.StatusUnsupportedMediaType, "send no body, or application/json")
		return
	}
	status := http.StatusOK
	if err := p.Reload(); err != nil {
		status = http.StatusUnprocessableEntity
	}
	answer(w, status, p.Status().Config)
}

// guard refuses requests that a web page could have caused: a foreign Host is DNS
// rebinding, a foreign origin is cross-site request forgery.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if !local(r.Host) {
			text(w, http.StatusForbidden, "the admin address answers only under localhost or a loopback address")
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && !ownOrigin(origin, r.Host) {
			text(w, http.StatusForbidden, "requests from other sites are refused")
			return
		}
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "none", "same-origin":
		default:
			text(w, http.StatusForbidden, "requests from other sites are refused")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func local(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	} else if len(host) > 2 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func ownOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host == host
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body + "\n"))
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(body) // the client may be gone
}
