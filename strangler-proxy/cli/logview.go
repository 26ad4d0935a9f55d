package cli

import (
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func logValue(cfg *config.Config) map[string]any {
	s := cfg.AccessLog
	path := s.Path
	if path == "" {
		path = "stderr"
	}
	return map[string]any{"access": s.Format, "path": path, "query": s.Query}
}

func tracingValue(cfg *config.Config) any {
	s := cfg.Tracing
	if !s.On {
		return "off"
	}
	value := map[string]any{"sample": route.Percent(s.Sample), "memory": s.Memory}
	if s.OTLP != "" {
		value["otlp"] = s.OTLP
	}
	return value
}
