package config

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

var tracingSection = Section{"tracing", "Each request as an OpenTelemetry trace: the request and each attempt to get it answered. `tracing: {}` keeps the last traces in memory, where `strangler traces` shows them. A client's `traceparent` is continued and handed on. Without the section there are no traces, unless the environment of the proxy has `OTEL_EXPORTER_OTLP_ENDPOINT`. A change takes effect at the next start.", []Key{
	{Name: "otlp", Type: "url", Doc: "A collector to send traces to, by OTLP over HTTP. Without a path, `/v1/traces` is asked. While it cannot be reached, requests go on, and the traces that are lost are counted."},
	{Name: "sample", Type: "percentage", Default: "100%", Doc: "Share of the traces that begin here; a client that says whether its trace is kept decides for that one."},
	{Name: "memory", Type: "number", Default: "100", Doc: "So many requests are kept in memory, from 1 to 10000."},
}}

// Tracing says what is done with traces.
type Tracing struct {
	On     bool
	OTLP   string // url of a collector; may be empty
	Sample int    // of the traces that begin here, in hundredths of a percent
	Memory int    // requests

	// Problem says why the collector that the environment names is not used.
	Problem string
}

const (
	endpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT"
	defaultMemory    = 100
	limitMemory      = 10_000
)

// tracing reads the section, or the environment where there is none.
func (c *checker) tracing(n *yamldoc.Node) Tracing {
	s := Tracing{On: true, Sample: route.Everyone, Memory: defaultMemory}
	if n == nil {
		endpoint, _ := c.lookup(endpointVariable)
		if endpoint == "" {
			return Tracing{}
		}
		var reason string
		if s.OTLP, reason = collector(strings.TrimSuffix(endpoint, "/") + "/v1/traces"); reason != "" {
			// The variable may be meant for other programs: the file is good without it.
			// And it may hold a secret: it is not shown.
			s.Problem = "environment variable " + endpointVariable + " holds no url of a collector such as http://127.0.0.1:4318"
		}
		return s
	}
	if n.Kind != yamldoc.Map && (n.Text == "off" || n.Text == "false") {
		return Tracing{}
	}
	keys, ok := c.section(n, tracingSection, "tracing")
	if !ok {
		return s
	}
	if k := keys["otlp"]; k != nil {
		if text := c.text(k, "tracing.otlp"); text != "" {
			var reason string
			if s.OTLP, reason = collector(text); reason != "" {
				c.add(k.Pos, "e.g. http://127.0.0.1:4318", "tracing.otlp: %s", reason)
			}
		}
	}
	if k := keys["sample"]; k != nil {
		if text := c.text(k, "tracing.sample"); text != "" {
			var err error
			if s.Sample, err = route.ParsePercent(text); err != nil {
				c.add(k.Pos, "e.g. 5%", "tracing.sample: %v", err)
			}
		}
	}
	if k := keys["memory"]; k != nil {
		s.Memory = c.count(k, "tracing.memory", limitMemory)
	}
	return s
}

// collector checks the url of a collector; the reason says what is wrong.
func collector(text string) (cleaned, reason string) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Sprintf("%q is no url", text)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Sprintf("%q does not begin with http:// or https://", text)
	case u.User != nil:
		return "", "a url must not hold a user or password"
	case u.Hostname() == "":
		return "", fmt.Sprintf("%q has no host", text)
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Sprintf("%q goes on after the path", text)
	case isLinkLocal(u.Hostname()):
		return "", fmt.Sprintf("%q is a link-local address, where clouds keep their secrets", text)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), ""
}

// TracingText is the section in the spelling of the file.
func (c *Config) TracingText() string {
	s := c.Tracing
	if !s.On {
		return "off"
	}
	text := ""
	if s.OTLP != "" {
		text = fmt.Sprintf("otlp: %q, ", s.OTLP)
	}
	return fmt.Sprintf("{ %ssample: %s, memory: %d }", text, route.Percent(s.Sample), s.Memory)
}
