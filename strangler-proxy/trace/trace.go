// Package trace follows requests through the proxy as OpenTelemetry spans: one for the
// request and one for each attempt to get it answered. It continues the trace of a
// client that sends a valid traceparent, hands the trace on to whoever is asked, keeps
// the last traces in memory and, if wanted, sends them to a collector. A collector that
// is down or hangs costs spans, which are counted, and never a request. No span holds a
// query, a body, a header's value or anything else that could be a secret.
package trace

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/strangler-proxy/accesslog"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// limitAttribute bounds the length of what a client can put into a span.
const limitAttribute = 256

// Options tune a Tracer. The zero value is fit for production.
type Options struct {
	Version string       // of the program, for collectors
	Log     *slog.Logger // nil discards
}

// A Tracer makes the spans of all requests. Goroutines share it. A nil *Tracer is off.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   otel.Tracer
	ring     *ring
	queue    *queue // nil without a collector
	secrets  *differ.Redactor
	spans    sync.Pool
}

// New returns a Tracer, or nil if s asks for none. Close ends it.
func New(ctx context.Context, s config.Tracing, opts Options) (*Tracer, error) {
	if !s.On {
		return nil, nil //nolint:nilnil // a nil *Tracer is one that is off
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	t := &Tracer{ring: newRing(s.Memory), secrets: differ.NewRedactor(nil)}
	t.spans.New = func() any { return &Span{tracer: t} }
	limits := sdk.NewSpanLimits()
	limits.AttributeValueLengthLimit = limitAttribute
	provider := []sdk.TracerProviderOption{
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "strangler-proxy"), attribute.String("service.version", opts.Version))),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(float64(s.Sample) / 100_00))),
		sdk.WithRawSpanLimits(limits),
		sdk.WithSpanProcessor(t.ring),
	}
	if s.OTLP != "" {
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(s.OTLP))
		if err != nil {
			return nil, fmt.Errorf("traces to %s: %w", s.OTLP, err)
		}
		t.queue = newQueue(exporter, opts.Log)
		provider = append(provider, sdk.WithSpanProcessor(t.queue))
	}
	t.provider = sdk.NewTracerProvider(provider...)
	t.tracer = t.provider.Tracer("github.com/stranglerfig/toolkit/strangler-proxy")
	return t, nil
}

// limitClose is how long Close waits for a collector.
const limitClose = 2 * time.Second

// Close sends what is left to the collector, for a short time, and ends the Tracer.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limitClose)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // what is lost is counted
}

// Lost is how many spans did not reach the collector.
func (t *Tracer) Lost() uint64 {
	if t == nil || t.queue == nil {
		return 0
	}
	return t.queue.lost.Load()
}

// A Span is one request under way. One goroutine uses it, until End.
type Span struct {
	tracer   *Tracer
	request  otel.Span
	attempt  otel.Span
	ctx      context.Context //nolint:containedctx // of the span, for those of its attempts; it carries no deadline
	fallback bool
}

// Begin begins the span of x and gives x its trace's id. The trace is that of a valid
// traceparent, which Parse has read, or else a new one.
func (t *Tracer) Begin(x *exchange.Exchange, parent otel.SpanContext) *Span {
	s := t.spans.Get().(*Span)
	ctx := context.Background()
	if parent.IsValid() {
		ctx = otel.ContextWithRemoteSpanContext(ctx, parent)
	}
	s.ctx, s.request = t.tracer.Start(ctx, "request", otel.WithSpanKind(otel.SpanKindServer), otel.WithTimestamp(x.Start))
	s.attempt, s.fallback = nil, false
	x.TraceID = s.request.SpanContext().TraceID().String()
	return s
}

// AppendHeader appends the line that hands the trace on.
func (s *Span) AppendHeader(dst []byte) []byte {
	dst = append(dst, "traceparent: "...)
	dst = appendParent(dst, s.request.SpanContext())
	return append(dst, "\r\n"...)
}

// Attempt begins to ask an instance of the monolith or of a service. EndAttempt ends it.
func (s *Span) Attempt(target, instance string, fallback bool) {
	if !s.request.IsRecording() {
		return
	}
	name := "ask " + target
	if fallback {
		name = "fall back to " + target
	}
	_, s.attempt = s.tracer.tracer.Start(s.ctx, name, otel.WithSpanKind(otel.SpanKindClient), otel.WithAttributes(
		attribute.String("strangler.target", target), attribute.String("server.address", instance), attribute.Bool("strangler.fallback", fallback),
	))
}

// EndAttempt ends an attempt by the status that came or by the reason why none did.
func (s *Span) EndAttempt(status int, reason string) {
	if s.attempt == nil {
		return
	}
	if reason != "" {
		s.attempt.SetAttributes(attribute.String("error.type", reason))
		s.attempt.SetStatus(codes.Error, reason)
	} else {
		s.attempt.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	s.attempt.End()
	s.attempt = nil
}

// End ends the span with what happened to x. The Span must not be used any more.
func (s *Span) End(x *exchange.Exchange) {
	if s.request.IsRecording() {
		s.describe(x)
	}
	s.request.End(otel.WithTimestamp(x.Start.Add(x.Took)))
	t := s.tracer
	s.request, s.ctx = nil, nil
	t.spans.Put(s)
}

func (s *Span) describe(x *exchange.Exchange) {
	name := x.Decision.Name()
	s.request.SetName(method(x.Method) + " " + name)
	s.request.SetAttributes(
		attribute.String("http.request.method", text(x.Method)),
		attribute.String("url.path", text(accesslog.ShownPath(x, s.tracer.secrets))),
		attribute.String("server.address", text(x.Host)),
		attribute.Int("http.response.status_code", x.Status),
		attribute.Int64("http.response.body.size", x.Bytes),
		attribute.String("strangler.route", name),
		attribute.String("strangler.stage", x.Decision.Stage().String()),
		attribute.String("strangler.served_by", x.ServedBy),
		attribute.String("strangler.request_id", text(x.ID)),
		attribute.Int64("strangler.config_version", int64(min(x.ConfigVersion, 1<<62))), //nolint:gosec // bounded
	)
	if x.Client.IsValid() {
		s.request.SetAttributes(attribute.String("client.address", x.Client.String()))
	}
	for _, more := range [...]struct{ key, value string }{
		{"strangler.fallback_reason", x.Fallback}, {"strangler.no_fallback", x.NoFallback}, {"error.type", x.Failure},
	} {
		if more.value != "" {
			s.request.SetAttributes(attribute.String(more.key, more.value))
		}
	}
	if x.Failure != "" || x.Status >= http.StatusInternalServerError {
		s.request.SetStatus(codes.Error, x.Failure)
	}
}

// text is a copy of what a client sent that is valid and short: the bytes of x end
// with the request, a span does not.
func text(s string) string {
	return strings.Clone(strings.ToValidUTF8(s[:min(len(s), limitAttribute)], "\uFFFD"))
}

// method keeps the names of spans few, whatever clients send.
func method(m string) string {
	for _, known := range [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		if m == known {
			return known
		}
	}
	return "HTTP"
}
