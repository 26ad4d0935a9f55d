package config_test

import (
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func TestTracing(t *testing.T) {
	t.Parallel()
	const rest = "version: 1\nmonolith: http://h\n"
	endpoint := func(name string) (string, bool) {
		return "http://otel:4318/", name == "OTEL_EXPORTER_OTLP_ENDPOINT"
	}
	for _, test := range []struct {
		text string
		env  func(string) (string, bool)
		want config.Tracing
	}{
		{"", nil, config.Tracing{}},
		{"tracing: off\n", endpoint, config.Tracing{}},
		{"tracing: {}\n", endpoint, config.Tracing{On: true, Sample: 10000, Memory: 100}},
		{"", endpoint, config.Tracing{On: true, OTLP: "http://otel:4318/v1/traces", Sample: 10000, Memory: 100}},
		{"tracing: { otlp: https://otel, sample: 0.5%, memory: 7 }\n", nil, config.Tracing{On: true, OTLP: "https://otel/v1/traces", Sample: 50, Memory: 7}},
		{"tracing: { otlp: \"http://otel:4318/in/traces\" }\n", nil, config.Tracing{On: true, OTLP: "http://otel:4318/in/traces", Sample: 10000, Memory: 100}},
	} {
		cfg, _, err := config.Parse("x.yaml", []byte(rest+test.text), config.Options{LookupEnv: test.env})
		if err != nil || cfg.Tracing != test.want {
			t.Errorf("%q: %+v, %v", test.text, cfg, err)
			continue
		}
		again, _, err := config.Parse("x.yaml", []byte(rest+"tracing: "+cfg.TracingText()+"\n"), config.Options{})
		if err != nil || again.Tracing != test.want {
			t.Errorf("%q is not read back: %v", cfg.TracingText(), err)
		}
	}
	for text, want := range map[string]string{
		"on":                               "tracing must be a mapping",
		"{ oltp: http://x }":               `did you mean "otlp"?`,
		"{ otlp: otel:4318 }":              "does not begin with http",
		"{ otlp: \"http://u:p@otel\" }":    "must not hold a user",
		"{ otlp: \"http://169.254.1.1\" }": "link-local",
		"{ otlp: \"http://otel?x=1\" }":    "goes on after the path",
		"{ sample: 101% }":                 "more than 100%",
		"{ sample: 5 }":                    "must be a text",
		"{ memory: 0 }":                    "a whole number from 1",
		"{ memory: 10001 }":                "a whole number from 1",
	} {
		_, _, err := config.Parse("x.yaml", []byte(rest+"tracing: "+text+"\n"), config.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.yaml:3:") {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	cfg, _, err := config.Parse("x.yaml", []byte(rest), config.Options{LookupEnv: func(name string) (string, bool) {
		return "otel:4317", name == "OTEL_EXPORTER_OTLP_ENDPOINT" // as some write it for gRPC
	}})
	if err != nil || !cfg.Tracing.On || cfg.Tracing.OTLP != "" || !strings.Contains(cfg.Tracing.Problem, "OTEL_EXPORTER_OTLP_ENDPOINT") {
		t.Errorf("a bad environment: %+v %v", cfg, err)
	}
}
