package cli

import "github.com/stranglerfig/toolkit/strangler-proxy/config"

func logValue(cfg *config.Config) map[string]any {
	s := cfg.AccessLog
	path := s.Path
	if path == "" {
		path = "stderr"
	}
	return map[string]any{"access": s.Format, "path": path, "query": s.Query}
}
