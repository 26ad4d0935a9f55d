package config_test

import (
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func TestFallbackMax(t *testing.T) {
	t.Parallel()
	parse := func(text string) (*config.Config, error) {
		cfg, _, err := config.Parse("x.yaml", []byte("version: 1\nmonolith: http://h\ndefaults: { fallback: "+text+" }\n"), config.Options{})
		return cfg, err
	}
	for _, c := range []struct {
		text            string
		inFlight, limit int64
		spelling        string
	}{
		{"{}", 1, 256, "256"},
		{"{ on: [connect] }", 1, 256, "256"},
		{"{ max: 7 }", 1000, 7, "7"},
		{"{ max: 20% }", 1000, 200, "20%"},
		{"{ max: 20%, on: [503] }", 3, 10, "20%"},
	} {
		cfg, err := parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := cfg.Fallback.Max.Limit(c.inFlight); got != c.limit || cfg.Fallback.Max.String() != c.spelling {
			t.Errorf("%s: %d of %d in flight, %q; want %d, %q", c.text, got, c.inFlight, cfg.Fallback.Max, c.limit, c.spelling)
		}
	}
	for text, want := range map[string]string{
		"{ max: 0 }": "a whole number from 1", "{ max: -3 }": "a whole number from 1", "{ max: 101% }": "is not between",
		"{ max: 0% }": "is not between", "{ max: many }": "neither a number nor a percentage", "{ max: \"20\" }": "neither a number",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.yaml:3:") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
