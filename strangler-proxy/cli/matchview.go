package cli

import (
	"fmt"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// matchView is a match as the file would hold it: short, or long if it has conditions.
func matchView(t route.Template) any {
	if !t.Conditional() {
		return t.String()
	}
	long := map[string]any{"path": t.Path()}
	if t.Method != "" {
		long["method"] = t.Method
	}
	if t.Host() != "" {
		long["host"] = t.Host()
	}
	for key, all := range map[string][]route.Condition{"headers": t.Headers(), "query": t.Query()} {
		pairs := map[string]string{}
		for _, c := range all {
			pairs[c.Name] = c.Value
		}
		if len(pairs) > 0 {
			long[key] = pairs
		}
	}
	return long
}

// matchYAML is matchView in the file's own form.
func matchYAML(t route.Template) string {
	if !t.Conditional() {
		return fmt.Sprintf("%q", t)
	}
	var parts []string
	if t.Method != "" {
		parts = append(parts, "method: "+t.Method)
	}
	parts = append(parts, fmt.Sprintf("path: %q", t.Path()))
	if t.Host() != "" {
		parts = append(parts, fmt.Sprintf("host: %q", t.Host()))
	}
	for _, c := range []struct {
		key string
		all []route.Condition
	}{{"headers", t.Headers()}, {"query", t.Query()}} {
		var pairs []string
		for _, one := range c.all {
			pairs = append(pairs, fmt.Sprintf("%q: %q", one.Name, one.Value))
		}
		if len(pairs) > 0 {
			parts = append(parts, c.key+": { "+strings.Join(pairs, ", ")+" }")
		}
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}
