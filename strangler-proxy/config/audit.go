package config

import "github.com/stranglerfig/toolkit/internal/yamldoc"

// auditSection is a constant in all but name.
var auditSection = Section{"audit", "What `CONFIG.audit.jsonl` asks of those who change routes.", []Key{
	{Name: "require_reason", Type: "boolean", Default: "false", Doc: "Whether a route goes forward only with a reason. Going back never needs one."},
}}

func (c *checker) audit(n *yamldoc.Node, cfg *Config) {
	keys, ok := c.section(n, auditSection, "audit")
	if !ok {
		return
	}
	if k := keys["require_reason"]; k != nil {
		cfg.RequireReason = c.boolean(k, "audit.require_reason")
	}
}
