package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// A client is one browser: it keeps cookies and does not follow redirects.
// Goroutines may share it.
type client struct {
	http *http.Client
}

// header holds headers of one request, over the client's own.
type header map[string]string

var transport = &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}

// guest returns a client without a session.
func guest() *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // New fails for no options at all
	}
	return &client{&http.Client{
		Transport:     transport,
		Jar:           jar,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// send asks once. The body may be nil, a string (sent as it is), endless, url.Values
// (a form) or a value to encode as JSON.
func (c *client) send(ctx context.Context, test, method, path string, body any, headers ...header) (*answer, error) {
	var reader io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
		kind = ""
	case string:
		reader = strings.NewReader(b)
	case endless:
		reader = b
	case url.Values:
		reader, kind = strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	default:
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode body: %w", err)
		}
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, baseURL+path, reader)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.Header.Set("X-Compare-Test", test)
	for _, h := range headers {
		for name, value := range h {
			req.Header.Set(name, value)
			if value == "" {
				req.Header.Del(name)
			}
		}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: read body: %w", method, path, err)
	}
	return &answer{call: method + " " + path, status: res.StatusCode, header: res.Header, body: data, cookies: res.Cookies()}, nil
}

// do asks once and fails the test if there is no answer, or one without the
// request id that every answer carries.
func (c *client) do(t *testing.T, method, path string, body any, headers ...header) *answer {
	t.Helper()
	a, err := c.send(t.Context(), t.Name(), method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	a.t = t
	if a.header.Get("X-Request-Id") == "" {
		t.Errorf("%s: the answer carries no X-Request-Id", a.call)
	}
	return a
}

func (c *client) get(t *testing.T, path string, headers ...header) *answer {
	t.Helper()
	return c.do(t, http.MethodGet, path, nil, headers...)
}

func (c *client) post(t *testing.T, path string, body any, headers ...header) *answer {
	t.Helper()
	return c.do(t, http.MethodPost, path, body, headers...)
}

func (c *client) patch(t *testing.T, path string, body any, headers ...header) *answer {
	t.Helper()
	return c.do(t, http.MethodPatch, path, body, headers...)
}

func (c *client) delete(t *testing.T, path string, body any, headers ...header) *answer {
	t.Helper()
	return c.do(t, http.MethodDelete, path, body, headers...)
}

// An answer is a whole response.
type answer struct {
	t       *testing.T
	call    string
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    []byte
}

// want ends the test unless the answer has status.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d: %s", a.call, a.status, status, a.excerpt())
	}
	return a
}

// created ends the test unless the answer is 201 with a Location below prefix
// that ends in an id; it returns the Location.
func (a *answer) created(prefix string) string {
	a.t.Helper()
	a.want(http.StatusCreated)
	location := a.header.Get("Location")
	id, ok := strings.CutPrefix(location, prefix)
	if !ok || id == "" || strings.Contains(id, "/") {
		a.t.Fatalf("%s: Location %q, want %s<id>", a.call, location, prefix)
	}
	return location
}

// into decodes the JSON of the answer, and ends the test if it is not JSON.
func (a *answer) into(dst any) *answer {
	a.t.Helper()
	if kind := a.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		a.t.Fatalf("%s: Content-Type %q, want application/json", a.call, kind)
	}
	if err := json.Unmarshal(a.body, dst); err != nil {
		a.t.Fatalf("%s: %v: %s", a.call, err, a.excerpt())
	}
	return a
}

// object returns the answer as a JSON object.
func (a *answer) object() object {
	a.t.Helper()
	var o object
	a.into(&o)
	return o
}

// items returns the objects of a list, which must not be null.
func (a *answer) items() []object {
	a.t.Helper()
	var list struct {
		Items []object `json:"items"`
	}
	a.want(http.StatusOK).into(&list)
	if list.Items == nil {
		a.t.Fatalf("%s: items is missing or null: %s", a.call, a.excerpt())
	}
	return list.Items
}

// fails ends the test unless the answer is an error of the one shape with status
// and code, naming at least these fields. An empty code accepts any.
func (a *answer) fails(status int, code string, fields ...string) {
	a.t.Helper()
	a.want(status)
	var e struct {
		Error *struct {
			Code      string `json:"code"`
			Message   string `json:"message"`
			RequestID string `json:"request_id"`
			Fields    []struct {
				Field   string `json:"field"`
				Message string `json:"message"`
			} `json:"fields"`
		} `json:"error"`
	}
	a.into(&e)
	switch {
	case e.Error == nil || e.Error.Code == "" || e.Error.Message == "":
		a.t.Fatalf("%s: not the shape of an error: %s", a.call, a.excerpt())
	case e.Error.RequestID != a.header.Get("X-Request-Id"):
		a.t.Errorf("%s: request_id %q, but X-Request-Id %q", a.call, e.Error.RequestID, a.header.Get("X-Request-Id"))
	case code != "" && e.Error.Code != code:
		a.t.Errorf("%s: code %q, want %q", a.call, e.Error.Code, code)
	}
	named := map[string]bool{}
	for _, f := range e.Error.Fields {
		named[f.Field] = f.Message != ""
	}
	for _, want := range fields {
		if !named[want] {
			a.t.Errorf("%s: no message for field %q: %s", a.call, want, a.excerpt())
		}
	}
}

func (a *answer) excerpt() string {
	return string(a.body[:min(len(a.body), 600)])
}

// An object is a JSON object as it came.
type object map[string]any

// has fails the test unless o has exactly these keys.
func (o object) has(t *testing.T, what string, keys ...string) {
	t.Helper()
	got, want := slices.Sorted(maps.Keys(o)), slices.Sorted(slices.Values(keys))
	if !slices.Equal(got, want) {
		t.Errorf("%s has the fields %v, want %v", what, got, want)
	}
}

// at returns the object at key, and ends the test if there is none.
func (o object) at(t *testing.T, key string) object {
	t.Helper()
	child, ok := o[key].(map[string]any)
	if !ok {
		t.Fatalf("%q is %v, want an object", key, o[key])
	}
	return child
}

// int returns the whole number at key, and ends the test if there is none.
func (o object) int(t *testing.T, key string) int64 {
	t.Helper()
	n, ok := o[key].(float64)
	if !ok || n != float64(int64(n)) {
		t.Fatalf("%q is %v, want a whole number", key, o[key])
	}
	return int64(n)
}

// text returns the string at key, and ends the test if there is none.
func (o object) text(t *testing.T, key string) string {
	t.Helper()
	s, ok := o[key].(string)
	if !ok {
		t.Fatalf("%q is %v, want a string", key, o[key])
	}
	return s
}

// isTime fails the test unless the value at key is a time as the shop writes it.
func (o object) isTime(t *testing.T, key string) {
	t.Helper()
	s, _ := o[key].(string)
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", s); err != nil {
		t.Errorf("%q is %v, want a time such as 2026-01-31T09:30:00.000Z", key, o[key])
	}
}

// eventually asks check again until it returns nil, for what follows a change
// with a delay; it ends the test with check's last error after limit.
func eventually(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %v", limit, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(pause):
		}
	}
}
