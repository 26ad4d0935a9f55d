package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// RequestIDHeader carries the id that names one request in every program's log.
const RequestIDHeader = "X-Request-Id"

type requestIDKey struct{}

// RequestID returns the id of the request, or "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// Observe gives each request an id (the caller's, if it is a sane one), a logger
// that knows it, a log line and the metrics; a panic becomes a 500.
func Observe(log *slog.Logger, metrics *Metrics) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			id := r.Header.Get(RequestIDHeader)
			if !saneID(id) {
				id = newID()
			}
			reqLog := log.With("request_id", id)
			ctx := WithLog(context.WithValue(r.Context(), requestIDKey{}, id), reqLog)
			r = r.WithContext(ctx)
			ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			ww.Header().Set(RequestIDHeader, id)
			defer func() {
				took := time.Since(start)
				pattern := chi.RouteContext(ctx).RoutePattern()
				metrics.observe(r.Method, pattern, ww.Status(), took)
				reqLog.Info("request", "method", r.Method, "path", loggedPath(r), "route", pattern,
					"status", ww.Status(), "bytes", ww.BytesWritten(), "duration_ms", float64(took.Microseconds())/1000)
			}()
			defer answerPanic(ww, r)
			next.ServeHTTP(ww, r)
		})
	}
}

// loggedPath is the path of r for a log. Where it holds a secret, which is named token
// in the route, it is only the route: logs are read by more people than secrets are for.
func loggedPath(r *http.Request) string {
	if route := chi.RouteContext(r.Context()); route != nil && strings.Contains(route.RoutePattern(), "{token}") {
		return route.RoutePattern()
	}
	return r.URL.Path
}

// answerPanic turns a panic into a 500; where a part of the answer is out already,
// it cuts the connection, so that nobody takes the part for the whole.
func answerPanic(w middleware.WrapResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	Log(r.Context()).Error("panic", "value", fmt.Sprint(v), "stack", string(debug.Stack()))
	if w.Status() != 0 {
		panic(http.ErrAbortHandler)
	}
	Fail(w, r, http.StatusInternalServerError, fmt.Errorf("panic: %v", v))
}

// SecureHeaders sets the headers that every answer should carry. Pages add their
// own Content-Security-Policy.
func SecureHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}

// NewRouter returns a router with Observe, SecureHeaders, a bound for the memory that
// bodies take, GET /healthz and /metrics, and JSON answers for unknown paths and
// methods. The collectors are the program's own metrics.
func NewRouter(log *slog.Logger, health func(ctx context.Context) error, collectors ...prometheus.Collector) chi.Router {
	metrics := newMetrics()
	metrics.registry.MustRegister(collectors...)
	r := chi.NewRouter()
	r.Use(withRouteContext, Observe(log, metrics), SecureHeaders, boundBodies())
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		Fail(w, r, 0, Problemf(http.StatusNotFound, "not_found", "there is nothing at %s", r.URL.Path))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		Allow(w, r)
		Fail(w, r, 0, Problemf(http.StatusMethodNotAllowed, "method_not_allowed", "%s is not possible here", r.Method))
	})
	r.Get("/healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := health(ctx); err != nil {
			Fail(w, r, http.StatusServiceUnavailable, err)
			return
		}
		JSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	r.Method(http.MethodGet, "/metrics", metrics.Handler())
	return r
}

// withRouteContext puts the routing context in place before chi does, so that the
// outermost middleware can still read the pattern after the request.
func withRouteContext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if chi.RouteContext(r.Context()) == nil {
			r = r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, chi.NewRouteContext()))
		}
		next.ServeHTTP(w, r)
	})
}

func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}

// saneID accepts what can go into a log line and a header unchanged.
func saneID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}
