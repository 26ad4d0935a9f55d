package testkit

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// An Answer is what a request got.
type Answer struct {
	Request string
	Status  int
	Header  http.Header
	Body    []byte
}

// Want ends the test unless the answer has status.
func (a *Answer) Want(t testing.TB, status int) *Answer {
	t.Helper()
	if a.Status != status {
		t.Fatalf("%s: status %d, want %d: %s", a.Request, a.Status, status, a.Body)
	}
	return a
}

// WantError ends the test unless the answer is an error in the one shape, with
// status, code and exactly the invalid fields.
func (a *Answer) WantError(t testing.TB, status int, code string, fields ...string) *Answer {
	t.Helper()
	a.Want(t, status)
	var body struct {
		Error struct {
			Code, Message string
			Fields        []struct{ Field, Message string }
			RequestID     string `json:"request_id"`
		}
	}
	a.Into(t, &body)
	if body.Error.Code != code || body.Error.Message == "" || body.Error.RequestID == "" {
		t.Fatalf("%s: want code %s with a message and a request id: %s", a.Request, code, a.Body)
	}
	got := []string{}
	for _, f := range body.Error.Fields {
		got = append(got, f.Field)
	}
	if strings.Join(got, " ") != strings.Join(fields, " ") {
		t.Fatalf("%s: invalid fields %q, want %q", a.Request, got, fields)
	}
	return a
}

// Into decodes the JSON body into v.
func (a *Answer) Into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("%s: %v: %s", a.Request, err, a.Body)
	}
}

// Get returns the value at path, such as "items.0.id", of the JSON body, or nil.
func (a *Answer) Get(path string) any {
	var v any
	if json.Unmarshal(a.Body, &v) != nil {
		return nil
	}
	for key := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

// Int returns the number at path, or -1.
func (a *Answer) Int(path string) int64 {
	if n, ok := a.Get(path).(float64); ok {
		return int64(n)
	}
	return -1
}

// Text returns the string at path, or "".
func (a *Answer) Text(path string) string {
	text, _ := a.Get(path).(string)
	return text
}
