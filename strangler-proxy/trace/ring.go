package trace

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"
)

// spansPerRequest is how many spans of a request have room on the average; further
// ones push older traces out earlier.
const spansPerRequest = 4

// A ring keeps the last spans in memory.
type ring struct {
	requests int
	mu       sync.Mutex
	spans    []sdk.ReadOnlySpan
	next     int
}

func newRing(requests int) *ring {
	return &ring{requests: requests, spans: make([]sdk.ReadOnlySpan, requests*spansPerRequest)}
}

// OnStart implements sdk.SpanProcessor.
func (r *ring) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd implements sdk.SpanProcessor.
func (r *ring) OnEnd(s sdk.ReadOnlySpan) {
	if len(r.spans) == 0 {
		return
	}
	r.mu.Lock()
	r.spans[r.next] = s
	r.next = (r.next + 1) % len(r.spans)
	r.mu.Unlock()
}

// ForceFlush implements sdk.SpanProcessor.
func (r *ring) ForceFlush(context.Context) error { return nil }

// Shutdown implements sdk.SpanProcessor.
func (r *ring) Shutdown(context.Context) error { return nil }

// A Report is the last requests that were traced, the newest first.
type Report struct {
	Schema int       `json:"schema"`
	On     bool      `json:"on"`
	Traces []Request `json:"traces"`
	Lost   uint64    `json:"lost"` // spans that did not reach the collector
	Next   []string  `json:"next_steps"`
}

// A Request is one request with its attempts, in the order in which they were made.
type Request struct {
	TraceID  string    `json:"trace_id"`
	ParentID string    `json:"parent_id,omitempty"` // the client's span
	Start    time.Time `json:"start"`
	Step
	Attempts []Attempt `json:"attempts"`
}

// An Attempt is one try to get a request answered.
type Attempt struct {
	AfterMS float64 `json:"after_ms"` // since the beginning of the request
	Step
}

// A Step is what request and attempt have in common.
type Step struct {
	Name       string         `json:"name"`
	SpanID     string         `json:"span_id"`
	TookMS     float64        `json:"duration_ms"`
	Failed     bool           `json:"failed"`
	Attributes map[string]any `json:"attributes"`
}

// Last returns at most limit requests, the newest first; 0 means all that are kept.
func (t *Tracer) Last(limit int) Report {
	report := Report{Schema: 1, On: t != nil, Traces: []Request{}, Lost: t.Lost(), Next: []string{}}
	if t == nil {
		return report
	}
	if limit <= 0 || limit > t.ring.requests {
		limit = t.ring.requests
	}
	report.Traces = t.ring.last(limit)
	return report
}

func (r *ring) last(limit int) []Request {
	r.mu.Lock()
	spans := append(append([]sdk.ReadOnlySpan{}, r.spans[r.next:]...), r.spans[:r.next]...)
	r.mu.Unlock()
	requests := []Request{}
	attempts := map[otel.SpanID][]sdk.ReadOnlySpan{}
	for _, s := range spans { // attempts end before their request
		if s != nil && s.SpanKind() == otel.SpanKindClient {
			attempts[s.Parent().SpanID()] = append(attempts[s.Parent().SpanID()], s)
		}
	}
	for i := len(spans) - 1; i >= 0 && len(requests) < limit; i-- {
		if s := spans[i]; s != nil && s.SpanKind() == otel.SpanKindServer {
			requests = append(requests, requestOf(s, attempts[s.SpanContext().SpanID()]))
		}
	}
	return requests
}

func requestOf(s sdk.ReadOnlySpan, attempts []sdk.ReadOnlySpan) Request {
	q := Request{TraceID: s.SpanContext().TraceID().String(), Start: s.StartTime().UTC(), Step: stepOf(s), Attempts: []Attempt{}}
	if s.Parent().IsValid() {
		q.ParentID = s.Parent().SpanID().String()
	}
	for _, a := range attempts {
		q.Attempts = append(q.Attempts, Attempt{millis(a.StartTime().Sub(s.StartTime())), stepOf(a)})
	}
	return q
}

func stepOf(s sdk.ReadOnlySpan) Step {
	step := Step{
		Name: s.Name(), SpanID: s.SpanContext().SpanID().String(), TookMS: millis(s.EndTime().Sub(s.StartTime())),
		Failed: s.Status().Code == codes.Error, Attributes: map[string]any{},
	}
	for _, a := range s.Attributes() {
		step.Attributes[string(a.Key)] = a.Value.AsInterface()
	}
	return step
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
