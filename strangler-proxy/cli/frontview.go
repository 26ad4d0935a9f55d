package cli

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
)

// frontYAML writes how clients connect in the file's own form.
func frontYAML(cfg *config.Config) string {
	var b strings.Builder
	if len(cfg.Front.TLS) > 0 {
		b.WriteString("tls:\n")
	}
	for _, p := range cfg.Front.TLS {
		fmt.Fprintf(&b, "  - { cert: %q, key: %q, min: %q }\n", p.Cert, p.Key, versionText(p))
	}
	l := cfg.Front.Limits
	fmt.Fprintf(&b, "h2c: %t\nmarks: %s\n", cfg.Front.H2C, cfg.Marks.Text())
	fmt.Fprintf(&b, "limits: { header: %s, url: %s, body: %s, connections: %d, streams: %d, header_timeout: %s, idle_timeout: %s, stall_timeout: %s }\n",
		config.SizeText(int64(l.Header)), config.SizeText(int64(l.URL)), config.SizeText(l.Body), l.Connections, l.Streams, l.HeaderTimeout, l.IdleTimeout, l.StallTimeout)
	if trusted := trustedTexts(cfg); len(trusted) > 0 {
		fmt.Fprintf(&b, "trusted_proxies: [%s]\n", strings.Join(trusted, ", "))
	}
	return b.String()
}

// versionText is "1.2" or "1.3".
func versionText(p listen.Pair) string {
	return strings.TrimPrefix(tls.VersionName(p.MinVersion()), "TLS ")
}

func tlsValue(cfg *config.Config) []any {
	pairs := []any{}
	for _, p := range cfg.Front.TLS {
		pairs = append(pairs, map[string]any{"cert": p.Cert, "key": p.Key, "min": versionText(p)})
	}
	return pairs
}

func limitsValue(l listen.Limits) map[string]any {
	return map[string]any{
		"header": config.SizeText(int64(l.Header)), "url": config.SizeText(int64(l.URL)), "body": config.SizeText(l.Body),
		"connections": l.Connections, "streams": l.Streams,
		"header_timeout": l.HeaderTimeout.String(), "idle_timeout": l.IdleTimeout.String(), "stall_timeout": l.StallTimeout.String(),
	}
}

func trustedTexts(cfg *config.Config) []string {
	texts := []string{}
	for _, p := range cfg.Trusted.Prefixes() {
		texts = append(texts, p.String())
	}
	return texts
}
