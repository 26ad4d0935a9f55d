package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/stranglerfig/toolkit/internal/web"
)

type line struct {
	Product int64    `json:"product"`
	Note    *string  `json:"note"`
	Price   float64  `json:"price"`
	Tags    []string `json:"tags"`
}

type parcel struct {
	Weight int `json:"weight"`
}

type order struct {
	parcel
	Name  string `json:"name"`
	Lines []line `json:"lines"`
}

type failure struct {
	Error struct {
		Code      string
		Message   string
		Fields    []struct{ Field, Message string }
		RequestID string `json:"request_id"`
	}
}

func router(t *testing.T) http.Handler {
	t.Helper()
	r := web.NewRouter(slog.New(slog.DiscardHandler), func(context.Context) error { return nil })
	r.Post("/orders", func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := web.Decode(w, r, &o); err != nil {
			web.Fail(w, r, http.StatusBadRequest, err)
			return
		}
		web.JSON(w, http.StatusCreated, o)
	})
	r.Get("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := web.ID(r, "id")
		if err != nil {
			web.Fail(w, r, http.StatusNotFound, err)
			return
		}
		page, err := web.PagingOf(r, 24)
		if err != nil {
			web.Fail(w, r, http.StatusUnprocessableEntity, err)
			return
		}
		if web.NotModified(w, r, `"v1"`) {
			return
		}
		web.JSON(w, http.StatusOK, web.NewPage[int64](page, nil, int(id)))
	})
	r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("the secret cause") })
	r.Get("/broken", func(w http.ResponseWriter, r *http.Request) {
		web.Fail(w, r, http.StatusInternalServerError, errors.New("the secret cause"))
	})
	return r
}

func do(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	router(t).ServeHTTP(w, r)
	return w.Result(), w.Body.String()
}

func TestDecodeAnswersForBadBodies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body, kind string
		status           int
		code, says       string
	}{
		{"fine", `{"name":"a","lines":[{"product":1,"note":null,"price":1.5,"tags":["x"]}]}`, "application/json; charset=utf-8", 201, "", ""},
		{"position", "{\n  \"name\": \"a\",\n  \"lines\": [}\n}", "application/json", 400, "malformed_json", "line 3, column 13"},
		{"position counts characters", `{"name": "äöü", oops}`, "application/json", 400, "malformed_json", "line 1, column 17"},
		{"cut off", `{"name": "a"`, "application/json", 400, "malformed_json", "line 1, column 12"},
		{"empty", ` `, "application/json", 400, "malformed_json", "empty"},
		{"two values", `{"name":"a"} {"name":"b"}`, "application/json", 400, "malformed_json", "after the JSON value"},
		{"unknown field", `{"nmae":"a"}`, "application/json", 422, "invalid", "nmae"},
		{"wrong type", `{"name": 7}`, "application/json", 422, "invalid", "name"},
		{"wrong nested type", `{"lines":[{"product":"one"}]}`, "application/json", 422, "invalid", "lines.product"},
		{"wrong type in an embedded struct", `{"weight":"much"}`, "application/json", 422, "invalid", `"field":"weight"`},
		{"fraction", `{"lines":[{"product":1.5}]}`, "application/json", 422, "invalid", "whole number"},
		{"not an object", `[1]`, "application/json", 422, "invalid", "(body)"},
		{"not JSON", `name=a`, "application/x-www-form-urlencoded", 415, "unsupported_media_type", "application/json"},
		{"large", `{"name":"` + strings.Repeat("a", web.MaxBody) + `"}`, "application/json", 413, "body_too_large", "1048576"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			resp, body := do(t, "POST", "/orders", c.body, "Content-Type", c.kind)
			if resp.StatusCode != c.status {
				t.Fatalf("status %d, want %d: %s", resp.StatusCode, c.status, body)
			}
			if c.code == "" {
				return
			}
			var f failure
			if err := json.Unmarshal([]byte(body), &f); err != nil {
				t.Fatal(err)
			}
			if f.Error.Code != c.code || !strings.Contains(body, c.says) || f.Error.RequestID == "" {
				t.Fatalf("%s; want code %s and %q", body, c.code, c.says)
			}
		})
	}
}

func TestFailNeverSendsTheCause(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/panic", "/broken"} {
		resp, body := do(t, "GET", path, "")
		if resp.StatusCode != 500 || strings.Contains(body, "secret") || !strings.Contains(body, `"code":"internal"`) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
}

func TestOneErrorShapeForUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	for path, status := range map[string]int{"/nowhere": 404, "/orders": 405, "/orders/abc": 404, "/orders/0": 404, "/orders/1?page=0": 422, "/orders/1?per_page=x": 422} {
		resp, body := do(t, "GET", path, "")
		var f failure
		if err := json.Unmarshal([]byte(body), &f); err != nil || resp.StatusCode != status || f.Error.Code == "" {
			t.Errorf("%s: %d %s %v", path, resp.StatusCode, body, err)
		}
	}
}

func TestA405SaysWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/orders": "POST", "/orders/1": "GET, HEAD", "/healthz": "GET, HEAD"} {
		resp, _ := do(t, "DELETE", path, "")
		if got := resp.Header.Get("Allow"); resp.StatusCode != http.StatusMethodNotAllowed || got != want {
			t.Errorf("%s: %d, Allow %q, want %q", path, resp.StatusCode, got, want)
		}
	}
}

func TestPagesAndETags(t *testing.T) {
	t.Parallel()
	resp, body := do(t, "GET", "/orders/49", "")
	if want := `{"items":[],"page":1,"per_page":24,"pages":3,"total":49}`; strings.TrimSpace(body) != want {
		t.Errorf("%s, want %s", body, want)
	}
	if resp.Header.Get("ETag") != `"v1"` {
		t.Errorf("ETag %q", resp.Header.Get("ETag"))
	}
	for header, status := range map[string]int{`"v1"`: 304, `W/"v1"`: 304, `"v0", "v1"`: 304, `*`: 304, `"v2"`: 200} {
		resp, body := do(t, "GET", "/orders/49", "", "If-None-Match", header)
		if resp.StatusCode != status || status == 304 && body != "" {
			t.Errorf("If-None-Match %s: %d %q, want %d", header, resp.StatusCode, body, status)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	for sent, kept := range map[string]bool{"abc-1_2.3": true, "": false, "a b": false, "a\"b": false, strings.Repeat("a", 65): false} {
		resp, _ := do(t, "GET", "/healthz", "", "X-Request-Id", sent)
		got := resp.Header.Get("X-Request-Id")
		if got == "" || (got == sent) != kept {
			t.Errorf("sent %q, got %q; kept: want %v", sent, got, kept)
		}
	}
}

func TestTokensAreNotLogged(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	r := web.NewRouter(slog.New(slog.NewTextHandler(&log, nil)), func(context.Context) error { return nil })
	r.Post("/resets/{token}", func(w http.ResponseWriter, r *http.Request) {
		web.Fail(w, r, http.StatusInternalServerError, errors.New("no luck"))
	})
	r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", "/resets/s3cret", nil))
	if strings.Contains(log.String(), "s3cret") || strings.Count(log.String(), "path=/resets/{token}") != 2 {
		t.Errorf("log:\n%s", &log)
	}
}

func TestMetricsLabelsAreBounded(t *testing.T) {
	t.Parallel()
	h := router(t)
	get := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		return w.Body.String()
	}
	for _, path := range []string{"/orders/1", "/orders/2", "/x1", "/x2", "/x3"} {
		get(path)
	}
	metrics := get("/metrics")
	for _, want := range []string{
		`http_requests_total{method="GET",route="/orders/{id}",status="200"} 2`,
		`http_requests_total{method="GET",route="unmatched",status="404"} 3`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// TestServeLetsRequestsEnd stops a server while a request is in flight: the request
// ends well, and new connections are refused.
func TestServeLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	entered, leave := make(chan struct{}), make(chan struct{})
	r := chi.NewRouter()
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		io.WriteString(w, "done")
	})
	ready, served := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		served <- web.Serve(ctx, "127.0.0.1:0", r, web.ServeOptions{Ready: func(a net.Addr) { ready <- a }})
	}()
	addr := (<-ready).String()
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + addr)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-entered
	stop()
	refused(t, addr)
	close(leave)
	if got := <-answer; got != "done" {
		t.Fatalf("the request in flight ended with %q", got)
	}
	if err := <-served; err != nil {
		t.Fatalf("Serve returned %v", err)
	}
}

func TestServeNamesAPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = web.Serve(t.Context(), l.Addr().String(), http.NotFoundHandler(), web.ServeOptions{})
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()+" is already in use") {
		t.Fatalf("error %v", err)
	}
}

// refused waits until addr takes no more connections.
func refused(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatal("the server still accepts connections")
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"name":"a","lines":[{"product":1}]}`))
	f.Add([]byte("{\n\"lines\": [}"))
	f.Add([]byte(`{"lines":[{"price":1e999}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		var o order
		err := web.Decode(httptest.NewRecorder(), r, &o)
		var p *web.Problem
		if err != nil && !errors.As(err, &p) {
			t.Fatalf("Decode returned %T %v, not a Problem", err, err)
		}
		if p != nil && (p.Status < 400 || p.Status > 422) {
			t.Fatalf("status %d for %q", p.Status, body)
		}
	})
}
