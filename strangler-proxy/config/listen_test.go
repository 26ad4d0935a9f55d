package config_test

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
)

func TestHowClientsConnect(t *testing.T) {
	t.Parallel()
	parse := func(text string) (*config.Config, error) {
		cfg, _, err := config.Parse("conf/x.yaml", []byte("version: 1\nmonolith: http://h\n"+text+"\n"), config.Options{LookupEnv: env("KEY", "/secret/k")})
		return cfg, err
	}
	cfg, err := parse("")
	if err != nil || len(cfg.Front.TLS) != 0 || cfg.Front.H2C || cfg.Front.Limits != listen.DefaultLimits() || cfg.Trusted.Has(netip.MustParseAddr("10.0.0.1")) {
		t.Errorf("defaults: %+v %v", cfg, err)
	}
	cfg, err = parse("tls: { cert: c.pem, key: \"${KEY}\", min: 1.3 }\nh2c: true\ntrusted_proxies: [10.0.0.0/8, 2001:db8::1]\nlimits: { header: 1MiB, body: 512B, header_timeout: 1s }")
	if err != nil {
		t.Fatal(err)
	}
	if want := (listen.Pair{Cert: "conf/c.pem", Key: "/secret/k", Min: tls.VersionTLS13}); cfg.Front.TLS[0] != want || !cfg.Front.H2C {
		t.Errorf("%+v", cfg.Front)
	}
	want := listen.DefaultLimits()
	want.Header, want.Body, want.HeaderTimeout = 1<<20, 512, time.Second
	if cfg.Front.Limits != want {
		t.Errorf("%+v, want %+v", cfg.Front.Limits, want)
	}
	for addr, trusted := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.0": false, "2001:db8::1": true, "2001:db8::2": false} {
		if cfg.Trusted.Has(netip.MustParseAddr(addr)) != trusted {
			t.Errorf("%s: not %v", addr, trusted)
		}
	}
	for text, want := range map[string]string{
		"tls: a.pem":                                   "must be a mapping",
		"tls: []":                                      "an empty list",
		"tls: { cert: a.pem }":                         `has no "key"`,
		"tls: { cert: a, key: b, min: 1.1 }":           "1.1 is no version",
		"tls: { cert: a, key: b, min: true }":          "must be a text",
		"tls: { cert: a, key: b, max: 1.3 }":           "unknown key",
		"tls: [{ cert: a, key: b },{cert: a, key: c}]": "stands there twice",
		"h2c: yes please":                              "must be true or false",
		"h2c: 1":                                       "must be true or false",
		"limits: { header: 65536 }":                    "write 65536B",
		"limits: { header: 100B }":                     "is not between 1KiB and 1MiB",
		"limits: { url: 2MiB }":                        "is not between 1KiB and 1MiB",
		"limits: { url: 0 }":                           "needs a unit",
		"limits: { body: 5kb }":                        `"5kb" is no size`,
		"limits: { body: -1B }":                        "is no size",
		"limits: { body: 999999999999GiB }":            "is not between 0 and",
		"limits: { streams: 0 }":                       "a whole number from 1",
		"limits: { connections: none }":                "a whole number from 1",
		"limits: { idle_timeout: 0s }":                 "must be more than 0s",
		"limits: { hedaer: 1KiB }":                     `did you mean "header"`,
		"trusted_proxies: 10.0.0.0/8":                  "must be a list",
		"trusted_proxies: []":                          "not an empty one",
		"trusted_proxies: [proxy.example]":             "neither an address nor a prefix",
		"trusted_proxies: [10.0.0.1/8]":                "write 10.0.0.0/8",
		"trusted_proxies: [0.0.0.0/0]":                 "every client's word",
		"trusted_proxies: [\"::ffff:10.0.0.0/104\"]":   "in disguise",
		"trusted_proxies: [\"fe80::1%eth0\"]":          "neither an address",
		"trusted_proxies: [7]":                         "must be a text",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.yaml:3:") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestSizeText(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{0: "0", 1: "1B", 1024: "1KiB", 1025: "1025B", 1 << 20: "1MiB", 3 << 30: "3GiB", 1 << 50: "1048576GiB"} {
		if got := config.SizeText(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}
