package cli

import (
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func discoveryValue(cfg *config.Config) map[string]any {
	var state any = cfg.Discovery.StatePath(cfg.Name)
	if cfg.Discovery.StateOff {
		state = "off"
	}
	return map[string]any{"quiet_after": config.DaysText(cfg.Discovery.QuietAfter), "state": state}
}
