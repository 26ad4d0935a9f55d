package config_test

import (
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func TestReach(t *testing.T) {
	t.Parallel()
	parse := func(text string) (*config.Config, error) {
		cfg, _, err := config.Parse("x.yaml", []byte("version: 1\nmarks: false\nmonolith: http://h\nservices:\n  s: { "+text+" }\n"), config.Options{})
		return cfg, err
	}
	cfg, err := parse("url: https://s, host: orders.internal, ca: /house.pem")
	if err != nil || cfg.Services[0].Host != "orders.internal" || cfg.Services[0].CA != "/house.pem" || !cfg.Unmarked {
		t.Errorf("%+v %v", cfg, err)
	}
	for text, want := range map[string]string{
		"url: http://s, ca: /house.pem": "none of its urls begins with https",
		"url: http://s, host: \"a b\"":  `"a b" is no host`,
		"url: http://s, hots: a":        `did you mean "host"`,
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.yaml:5:") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
