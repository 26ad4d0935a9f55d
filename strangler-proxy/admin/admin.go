package admin

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"net/http"

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
	Steerer
	Holder
	Splitter
}

// Options tune the handler. The zero value asks nobody for a token.
type Options struct {
	Access
	Log *slog.Logger // nil discards
}

// Routes returns the handler of the admin listener.
func Routes(p Proxy, metrics prometheus.TransactionalGatherer, opts Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", index)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w, p) })
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, p.Status()) })
	mux.HandleFunc("GET /discover", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, p.Discovery()) })
	mux.HandleFunc("GET /routes/{name}/mismatches", func(w http.ResponseWriter, r *http.Request) { mismatches(w, r, p) })
	mux.HandleFunc("GET /traces", func(w http.ResponseWriter, r *http.Request) { traces(w, r, p) })
	mux.Handle("GET /metrics", promhttp.HandlerForTransactional(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, r *http.Request) { reload(w, r, p) })
	s := steering{p, cmp.Or(opts.Log, slog.New(slog.DiscardHandler))}
	s.routes(mux)
	holding{s}.routes(mux)
	splitting{s}.routes(mux)
	return opts.guard(mux)
}

func index(w http.ResponseWriter, _ *http.Request) {
	text(w, http.StatusOK, "strangler proxy\n\n/healthz\n/readyz\n/status\n/discover\n/routes\n/routes/NAME\n/routes/NAME/mismatches\n/audit\n/traces\n/metrics\nPOST /-/reload\n/-/holds\n/-/splits\n\nPATCH /routes/NAME, POST /routes/NAME/rollback, POST and DELETE /panic")
}

func ready(w http.ResponseWriter, p Proxy) {
	if err := p.Ready(); err != nil {
		text(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	text(w, http.StatusOK, "ready")
}

func reload(w http.ResponseWriter, r *http.Request, p Proxy) {
	if err := decode(w, r, &struct{}{}, true); err != nil {
		fail(w, err)
		return
	}
	status := http.StatusOK
	if err := p.Reload(); err != nil {
		status = http.StatusUnprocessableEntity
	}
	answer(w, status, p.Status().Config)
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
