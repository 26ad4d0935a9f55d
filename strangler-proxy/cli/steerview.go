package cli

import (
	"fmt"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// steeringYAML writes how routes may be moved in the file's own form.
func steeringYAML(cfg *config.Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "admin: { listen: %s", cfg.Admin)
	if cfg.Tokens != "" {
		fmt.Fprintf(&b, ", token_file: %q", cfg.Tokens)
	}
	b.WriteString(" }\n")
	if cfg.Panic != "" {
		fmt.Fprintf(&b, "panic: %q\n", cfg.Panic)
	}
	if cfg.Guard.Off {
		b.WriteString("guard: off\n")
	} else {
		fmt.Fprintf(&b, "guard: { compared: %d, mismatch: %s }\n", cfg.Guard.Limits.Compared, route.Percent(cfg.Guard.Limits.Mismatch))
	}
	fmt.Fprintf(&b, "audit: { require_reason: %t }\n", cfg.RequireReason)
	return b.String()
}

// addSteering adds the same to a value for JSON.
func addSteering(value map[string]any, cfg *config.Config) map[string]any {
	admin := map[string]any{"listen": cfg.Admin}
	if cfg.Tokens != "" {
		admin["token_file"] = cfg.Tokens
	}
	value["admin"], value["audit"] = admin, map[string]any{"require_reason": cfg.RequireReason}
	value["guard"] = map[string]any{"compared": cfg.Guard.Limits.Compared, "mismatch": route.Percent(cfg.Guard.Limits.Mismatch)}
	if cfg.Guard.Off {
		value["guard"] = "off"
	}
	if cfg.Panic != "" {
		value["panic"] = cfg.Panic
	}
	return value
}
