package cli

import (
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// fallbackText is how a fallback is spelled in the file.
func fallbackText(f *config.Fallback) string {
	if f.None() {
		return "off"
	}
	text := "{ on: [" + strings.Join(f.Words(), ", ") + "]"
	if f.Twice != (config.Twice{}) {
		text += ", twice: [" + strings.Join(f.Methods(), ", ") + "]"
	}
	return text + " }"
}

// retryText is the retry of a route in words.
func retryText(r *config.Retry) string {
	if r.Max == 0 {
		return "off"
	}
	return r.Text()
}

func retryValue(r *config.Retry) map[string]any {
	return map[string]any{"max": r.Max, "on": wordsOf(&r.On), "budget": r.BudgetText()}
}

func wordsOf(c *config.Causes) []string { return append([]string{}, c.Words()...) }

// addTroubles adds what a route does when its service is in trouble.
func addTroubles(view map[string]any, r *config.Route) map[string]any {
	view["timeout"], view["try_timeout"], view["deadline"] = r.Timeout.String(), r.Try.String(), r.Deadline.String()
	view["fallback"] = map[string]any{"on": wordsOf(&r.Fallback.Causes), "twice": r.Fallback.Methods()}
	view["retry"] = retryValue(&r.Retry)
	return view
}

// troublesYAML is what a route says about trouble that the defaults do not.
func troublesYAML(cfg *config.Config, r *config.Route) string {
	text := r.WaitsText()
	if r.Fallback != cfg.Fallback {
		text += ", fallback: " + fallbackText(&r.Fallback)
	}
	if r.Retry != cfg.Retry {
		text += ", retry: " + r.Retry.Text()
	}
	return text
}

// troubles fills in what the route does when its service is in trouble.
func (v *routeView) troubles(r *config.Route) {
	v.Fallback, v.Retry = fallbackText(&r.Fallback), retryText(&r.Retry)
	if r.Try > 0 {
		v.Try = r.Try.String()
	}
	if r.Deadline > 0 {
		v.Deadline = r.Deadline.String()
	}
}
