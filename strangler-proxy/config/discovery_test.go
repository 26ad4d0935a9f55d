package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
)

func TestDiscovery(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	parse := func(text string) (*config.Config, error) {
		cfg, _, err := config.Parse("conf/x.yaml", []byte("version: 1\nmonolith: http://h\n"+text+"\n"), config.Options{LookupEnv: env("DIR", "/var/lib")})
		return cfg, err
	}
	for text, want := range map[string]discover.Settings{
		"":                                 {QuietAfter: 30 * day},
		"discovery: {}":                    {QuietAfter: 30 * day},
		"discovery: { quiet_after: 14d }":  {QuietAfter: 14 * day},
		"discovery: { quiet_after: 36h }":  {QuietAfter: 36 * time.Hour},
		"discovery: { quiet_after: 90m }":  {QuietAfter: 90 * time.Minute},
		"discovery: { state: off }":        {QuietAfter: 30 * day, StateOff: true},
		"discovery: { state: seen.json }":  {QuietAfter: 30 * day, State: "conf/seen.json"},
		"discovery: { state: '${DIR}/s' }": {QuietAfter: 30 * day, State: "/var/lib/s"},
	} {
		cfg, err := parse(text)
		if err != nil || cfg.Discovery != want {
			t.Errorf("%q: %+v %v", text, cfg, err)
			continue
		}
		cfg.Discovery.State = strings.TrimPrefix(cfg.Discovery.State, "conf/")
		if again, err := parse("discovery: " + cfg.DiscoveryText()); err != nil || again.Discovery != want {
			t.Errorf("%q is not read back from %q: %v", text, cfg.DiscoveryText(), err)
		}
	}
	for text, want := range map[string]string{
		"on":                         "discovery must be a mapping",
		"{ quiet_after: 30 }":        `needs a unit (write 30d for days)`,
		"{ quiet_after: soon }":      `"soon" is no duration (e.g. 30d, 12h)`,
		"{ quiet_after: 1s }":        "is not between 1m and 3650d",
		"{ quiet_after: 99999d }":    "is not between 1m and 3650d",
		"{ quiet_after: -5d }":       "is no duration",
		"{ quiet_after: }":           "must be a text",
		"{ state: 7 }":               "must be a text",
		"{ state: '${NONE}' }":       "NONE is not set",
		"{ quiet_afer: 30d }":        `did you mean "quiet_after"`,
		"{ state: off, state: off }": "stands twice",
	} {
		_, err := parse("discovery: " + text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.yaml:3:") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	single, err := config.Single("127.0.0.1:0", "127.0.0.1:0", "http://h")
	if err != nil || single.Discovery.QuietAfter != 30*day || single.Discovery.StatePath(single.Name) != "" {
		t.Errorf("without a file: %+v %v", single, err)
	}
}
