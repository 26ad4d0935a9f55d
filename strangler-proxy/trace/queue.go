package trace

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// Limits of what waits for the collector.
const (
	limitQueue  = 4096 // spans
	limitBatch  = 512
	limitExport = 10 * time.Second // of one batch
	batchEvery  = 2 * time.Second
)

// A queue hands spans to an exporter from a goroutine of its own. Spans that find no
// room are dropped and counted: ending a span never waits. The SDK's own batching
// processor does not say how many it dropped.
type queue struct {
	exporter sdk.SpanExporter
	log      *slog.Logger
	spans    chan sdk.ReadOnlySpan
	ended    chan struct{}
	end      sync.Once
	running  sync.WaitGroup
	cancel   context.CancelFunc
	lost     atomic.Uint64
}

func newQueue(exporter sdk.SpanExporter, log *slog.Logger) *queue {
	ctx, cancel := context.WithCancel(context.Background())
	q := &queue{exporter: exporter, log: log, spans: make(chan sdk.ReadOnlySpan, limitQueue), ended: make(chan struct{}), cancel: cancel}
	q.running.Go(func() { q.run(ctx) })
	return q
}

// OnStart implements sdk.SpanProcessor.
func (q *queue) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd implements sdk.SpanProcessor.
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	select {
	case q.spans <- s:
	default:
		q.lost.Add(1)
	}
}

// ForceFlush implements sdk.SpanProcessor.
func (q *queue) ForceFlush(context.Context) error { return nil }

// Shutdown implements sdk.SpanProcessor. It sends what waits until ctx ends.
func (q *queue) Shutdown(ctx context.Context) error {
	defer context.AfterFunc(ctx, q.cancel)()
	q.end.Do(func() { close(q.ended) })
	q.running.Wait()
	q.cancel()
	return q.exporter.Shutdown(ctx)
}

func (q *queue) run(ctx context.Context) {
	ticks := time.NewTicker(batchEvery)
	defer ticks.Stop()
	batch := make([]sdk.ReadOnlySpan, 0, limitBatch)
	failing := false
	send := func() {
		if len(batch) > 0 {
			failing = q.send(ctx, batch, failing)
			clear(batch)
			batch = batch[:0]
		}
	}
	for {
		select {
		case s := <-q.spans:
			if batch = append(batch, s); len(batch) == limitBatch {
				send()
			}
		case <-ticks.C:
			send()
		case <-q.ended:
			for {
				select {
				case s := <-q.spans:
					if batch = append(batch, s); len(batch) == limitBatch {
						send()
					}
				default:
					send()
					return
				}
			}
		}
	}
}

// send exports a batch and says once that it cannot, and once that it can again.
func (q *queue) send(ctx context.Context, batch []sdk.ReadOnlySpan, failing bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limitExport)
	defer cancel()
	err := q.exporter.ExportSpans(ctx, batch)
	switch {
	case err != nil:
		q.lost.Add(uint64(len(batch)))
		if !failing {
			q.log.Error("traces cannot be sent; requests go on, their spans are lost", "err", err)
		}
	case failing:
		q.log.Info("traces are sent again", "lost", q.lost.Load())
	}
	return err != nil
}
