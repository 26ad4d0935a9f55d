package cli

import (
	"reflect"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// copiesYAML is what a route says of its copies, in the file's own form, where that is
// not what the defaults say.
func copiesYAML(cfg *config.Config, r config.Route) string {
	var b strings.Builder
	if r.Service == "" {
		return ""
	}
	if !sameCopies(cfg, r) {
		b.WriteString(", shadow: " + config.ShadowText(r.Shadow))
	}
	if !reflect.DeepEqual(r.Compare, shadow.Rules{Margin: shadow.DefaultMargin}) {
		b.WriteString(", compare: " + config.CompareText(r.Compare))
	}
	return b.String()
}

func sameCopies(cfg *config.Config, r config.Route) bool {
	inherited := cfg.Shadow
	inherited.Limits = shadow.Limits{}
	return r.Shadow == inherited
}

func shadowValue(s shadow.Settings) map[string]any {
	writes := "none"
	if s.Sandbox {
		writes = "sandbox"
	}
	value := map[string]any{
		"methods": "safe", "writes": writes, "percent": s.Percent, "max_body": config.SizeText(int64(s.MaxBody)),
		"timeout": s.Timeout.String(), "baseline_percent": s.Baseline, "keep": s.Keep,
	}
	for name, limit := range map[string]int{"max_inflight": s.Limits.InFlight, "queue": s.Limits.Queue, "max_rps": int(s.Limits.Rate), "live_rps": int(s.LiveRate)} {
		if limit > 0 {
			value[name] = limit
		}
	}
	return value
}

func compareValue(r shadow.Rules) map[string]any {
	value := map[string]any{"ignore": nonNil(r.Ignore), "secrets": nonNil(r.Secrets), "noise_margin": r.Margin}
	if r.Headers != nil {
		value["headers"] = r.Headers
	}
	return value
}
