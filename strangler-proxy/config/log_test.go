package config_test

import (
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func TestLog(t *testing.T) {
	t.Parallel()
	const rest = "version: 1\nmonolith: http://h\n"
	for text, want := range map[string]config.AccessLog{
		"":                       {Format: config.LogAuto},
		"log: {}\n":              {Format: config.LogAuto},
		"log: { access: off }\n": {Format: config.LogOff}, "log: { access: false }\n": {Format: config.LogOff},
		"log: { access: json, path: stderr }\n":                            {Format: config.LogJSON},
		"log: { access: text, path: /var/log/a.log, query: true }\n":       {Format: config.LogText, Path: "/var/log/a.log", Query: true},
		"log: { access: json, path: a.log }\n":                             {Format: config.LogJSON, Path: "/etc/s/a.log"},
		"log: { access: \"${FORM:-json}\", path: \"${DIR:-/x}/a.log\" }\n": {Format: config.LogJSON, Path: "/x/a.log"},
	} {
		cfg, _, err := config.Parse("/etc/s/x.yaml", []byte(rest+text), config.Options{})
		if err != nil || cfg.AccessLog != want {
			t.Errorf("%q: %+v, %v", text, cfg, err)
			continue
		}
		again, _, err := config.Parse("/etc/s/x.yaml", []byte(rest+"log: "+cfg.LogText()+"\n"), config.Options{})
		if err != nil || again.AccessLog != want {
			t.Errorf("%q is not read back: %v", cfg.LogText(), err)
		}
	}
	for text, want := range map[string]string{
		"yes":                `log must be a mapping`,
		"{ acces: json }":    `did you mean "access"?`,
		"{ access: jsn }":    `did you mean "json"?`,
		"{ access: 3 }":      `log.access must be a text`,
		"{ path: 3 }":        `log.path must be a text`,
		"{ path: \"${A}\" }": `environment variable A is not set`,
		"{ query: maybe }":   `log.query must be true or false`,
	} {
		_, _, err := config.Parse("x.yaml", []byte(rest+"log: "+text+"\n"), config.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.yaml:3:") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
