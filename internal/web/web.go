// Package web holds what every HTTP program here does the same way: decoding and
// encoding JSON, one error shape, request ids, logs, metrics, limits and a server
// that stops gracefully. It knows no shop nouns.
package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
)

// A Field names one invalid part of a request, such as "items[0].qty".
type Field struct {
	Name    string `json:"field"`
	Message string `json:"message"`
}

// A Problem is an error with the status and words the client may see. Code is a
// stable word for programs, Message a sentence for people.
type Problem struct {
	Status  int
	Code    string
	Message string
	Fields  []Field
}

func (p *Problem) Error() string { return p.Message }

// Problemf returns a Problem with status, code and a formatted message.
func Problemf(status int, code, format string, args ...any) *Problem {
	return &Problem{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid returns the 422 Problem that names fields, or nil when there are none.
func Invalid(fields ...Field) error {
	if len(fields) == 0 {
		return nil
	}
	return &Problem{
		Status: http.StatusUnprocessableEntity, Code: "invalid",
		Message: "the request has invalid fields", Fields: fields,
	}
}

type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Code      string  `json:"code"`
	Message   string  `json:"message"`
	Fields    []Field `json:"fields,omitempty"`
	RequestID string  `json:"request_id,omitempty"`
}

// Fail answers with err in the one error shape. A *Problem in err's chain speaks
// for itself; with any other error the client sees only the text of status. The
// cause of a 5xx is logged, never sent.
func Fail(w http.ResponseWriter, r *http.Request, status int, err error) {
	detail := errorDetail{Code: codeOf(status), Message: http.StatusText(status), RequestID: RequestID(r.Context())}
	var p *Problem
	if errors.As(err, &p) {
		status, detail.Code, detail.Message, detail.Fields = p.Status, p.Code, p.Message, p.Fields
	} else if status < 500 && err != nil {
		detail.Message = err.Error()
	}
	if status >= 500 && !errors.Is(err, context.Canceled) {
		Log(r.Context()).Error("request failed", "method", r.Method, "path", loggedPath(r), "status", status, "error", err)
	}
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	JSON(w, status, errorBody{detail})
}

func codeOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "bad_request"
	case http.StatusUnauthorized:
		return "unauthenticated"
	case http.StatusForbidden:
		return "forbidden"
	case http.StatusNotFound:
		return "not_found"
	case http.StatusMethodNotAllowed:
		return "method_not_allowed"
	case http.StatusConflict:
		return "conflict"
	case http.StatusTooManyRequests:
		return "too_many_requests"
	case http.StatusServiceUnavailable:
		return "unavailable"
	}
	if status >= 500 {
		return "internal"
	}
	return "invalid"
}

// JSON answers with v. A value that cannot be encoded is our own bug and panics.
func JSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode %T: %w", v, err))
	}
	body = append(body, '\n')
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) //nolint:errcheck // the client is gone; the server logs the request anyway
}

// Allow sets the header Allow, which a 405 must carry, to the methods that r's path
// is routed for. HEAD goes with GET.
func Allow(w http.ResponseWriter, r *http.Request) {
	routing := chi.RouteContext(r.Context())
	if routing == nil || routing.Routes == nil {
		return
	}
	path := cmp.Or(r.URL.RawPath, r.URL.Path)
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if !routing.Routes.Match(chi.NewRouteContext(), method, path) {
			continue
		}
		allowed = append(allowed, method)
		if method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
}

// ID returns the path parameter name as a positive row id. Anything else cannot
// name a row, so it is a 404.
func ID(r *http.Request, name string) (int64, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, name), 10, 64)
	if err != nil || id < 1 {
		return 0, Problemf(http.StatusNotFound, "not_found", "no such resource: %q", chi.URLParam(r, name))
	}
	return id, nil
}

// Int returns the query parameter name as a number within [lowest, highest], or
// fallback if it is absent. Anything else is a 422 that names the parameter.
func Int(r *http.Request, name string, fallback, lowest, highest int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < lowest || n > highest {
		return 0, Invalid(Field{name, fmt.Sprintf("must be a whole number from %d to %d", lowest, highest)})
	}
	return n, nil
}

// NotModified sets the ETag and reports whether the client already has that
// version; then it has answered 304.
func NotModified(w http.ResponseWriter, r *http.Request, etag string) bool {
	w.Header().Set("ETag", etag)
	if !etagMatches(r.Header.Get("If-None-Match"), etag) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

type logKey struct{}

// WithLog returns a context that carries log.
func WithLog(ctx context.Context, log *slog.Logger) context.Context {
	return context.WithValue(ctx, logKey{}, log)
}

// Log returns the logger of the request, with its id, or one that discards.
func Log(ctx context.Context) *slog.Logger {
	if log, ok := ctx.Value(logKey{}).(*slog.Logger); ok {
		return log
	}
	return slog.New(slog.DiscardHandler)
}
