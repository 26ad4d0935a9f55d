package strangler

import (
	"context"
	"log/slog"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// logAccess writes one line for a finished request.
func (f *front) logAccess(x *exchange.Exchange) {
	ctx := context.Background()
	if f.log == nil || !f.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", x.Method),
		slog.String("path", x.Path),
		slog.Int("status", x.Status),
		slog.Int64("bytes", x.Bytes),
		slog.Float64("duration_ms", float64(x.Took.Microseconds())/1000),
		slog.String("route", x.Decision.Name()),
		slog.String("stage", x.Decision.Stage().String()),
		slog.String("served_by", x.ServedBy),
		slog.String("fallback_reason", x.Fallback),
		slog.Int("retries", x.Retries),
		slog.Uint64("config_version", x.ConfigVersion),
		slog.String("request_id", x.ID),
	}
	if x.Failure != "" {
		attrs = append(attrs, slog.String("failure", x.Failure))
	}
	f.log.LogAttrs(ctx, slog.LevelInfo, "request", attrs...)
}
