package record

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// An Exchange is one request and the answer to it, without secrets.
type Exchange struct {
	Seq      int           // order in which the exchanges of a run began
	Service  string        // that the request went to; empty if the suite talks to one
	Test     string        // what the test said in X-Compare-Test; empty if nothing
	Start    time.Duration // since the run began
	Duration time.Duration
	Method   string
	Path     string // with its query
	Request  Message
	Status   int // 0 if the target gave no answer; Error says why
	Response Message
	ServedBy string // as the strangler proxy says
	Route    string // as the strangler proxy says
	Opaque   bool   // an upgrade or an event stream: the body was passed on and not kept
	Error    string
}

// End is when the answer was complete, since the run began.
func (e *Exchange) End() time.Duration { return e.Start + e.Duration }

// A Message is one half of an exchange.
type Message struct {
	Header http.Header
	Body   []byte // decoded; empty beyond the limit
	Length int64  // of the body as it passed
	Hash   string // sha256 of a body that was not kept
}

// kept reports whether Body is the whole body.
func (m *Message) kept() bool { return m.Hash == "" }

// Comparable returns the body, or what stands for one that was not kept; whole is false then.
func (m *Message) Comparable() (body []byte, whole bool) {
	if m.kept() {
		return m.Body, true
	}
	return fmt.Appendf(nil, "(%d bytes, sha256 %s)", m.Length, m.Hash), false
}

// line is an exchange as it stands in exchanges.ndjson.
type line struct {
	Seq      int         `json:"seq"`
	Service  string      `json:"service,omitempty"`
	Test     string      `json:"test,omitempty"`
	StartUS  int64       `json:"start_us"`
	TookUS   int64       `json:"took_us"`
	Method   string      `json:"method"`
	Path     string      `json:"path"`
	Request  messageLine `json:"request"`
	Status   int         `json:"status"`
	Response messageLine `json:"response"`
	ServedBy string      `json:"served_by,omitempty"`
	Route    string      `json:"route,omitempty"`
	Opaque   bool        `json:"opaque,omitempty"`
	Error    string      `json:"error,omitempty"`
}

type messageLine struct {
	Header http.Header `json:"header,omitempty"`
	Text   text        `json:"text,omitempty"`   // a body that is UTF-8
	Base64 string      `json:"base64,omitempty"` // any other
	Length int64       `json:"length,omitempty"` // of the body as it passed
	Hash   string      `json:"sha256,omitempty"` // of one that was not kept
}

// text is a string in JSON. It spares two copies of each body.
type text []byte

func (t text) MarshalText() ([]byte, error) { return t, nil }

func (t *text) UnmarshalText(from []byte) error {
	*t = slices.Clone(from)
	return nil
}

// MarshalJSON writes the exchange as one line of a recording.
func (e *Exchange) MarshalJSON() ([]byte, error) { return json.Marshal(e.line()) }

func (e *Exchange) line() *line {
	return &line{
		Seq: e.Seq, Service: e.Service, Test: e.Test, StartUS: e.Start.Microseconds(), TookUS: e.Duration.Microseconds(), Method: e.Method, Path: e.Path,
		Request: e.Request.line(), Status: e.Status, Response: e.Response.line(), ServedBy: e.ServedBy, Route: e.Route, Opaque: e.Opaque, Error: e.Error,
	}
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Exchange) UnmarshalJSON(data []byte) error {
	var l line
	if err := json.Unmarshal(data, &l); err != nil {
		return err
	}
	read, err := l.exchange()
	if err == nil {
		*e = read
	}
	return err
}

func (l *line) exchange() (Exchange, error) {
	request, err := l.Request.message()
	if err != nil {
		return Exchange{}, fmt.Errorf("body of the request: %w", err)
	}
	response, err := l.Response.message()
	if err != nil {
		return Exchange{}, fmt.Errorf("body of the response: %w", err)
	}
	return Exchange{
		Seq: l.Seq, Service: l.Service, Test: l.Test, Start: time.Duration(l.StartUS) * time.Microsecond, Duration: time.Duration(l.TookUS) * time.Microsecond,
		Method: l.Method, Path: l.Path, Request: request, Status: l.Status, Response: response,
		ServedBy: l.ServedBy, Route: l.Route, Opaque: l.Opaque, Error: l.Error,
	}, nil
}

func (m *Message) line() messageLine {
	l := messageLine{Header: m.Header, Length: m.Length, Hash: m.Hash}
	if utf8.Valid(m.Body) {
		l.Text = m.Body
	} else {
		l.Base64 = base64.StdEncoding.EncodeToString(m.Body)
	}
	return l
}

func (l *messageLine) message() (Message, error) {
	m := Message{Header: l.Header, Body: l.Text, Length: l.Length, Hash: l.Hash}
	if l.Base64 == "" {
		return m, nil
	}
	body, err := base64.StdEncoding.DecodeString(l.Base64)
	m.Body = body
	return m, err
}
