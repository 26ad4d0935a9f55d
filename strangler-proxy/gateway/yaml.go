package gateway

import (
	"fmt"
	"strconv"
	"strings"
)

// Mark is the first line of every file.
const Mark = "# Written by strangler config export. Edit the configuration, not this file.\n"

// YAML writes the HTTPRoutes as a file for kubectl apply, with the differences as
// comments at its head.
func (r *Result) YAML() string {
	var b strings.Builder
	b.WriteString(Mark)
	b.WriteString("# What the proxy does and these HTTPRoutes do not:\n")
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "# - %s\n", d)
	}
	for _, route := range r.Routes {
		b.WriteString("---\n")
		b.WriteString(route.YAML())
	}
	return b.String()
}

// String is the difference in a line.
func (d Difference) String() string {
	text := d.Kind + ": "
	if len(d.Routes) > 0 {
		text += "route " + strings.Join(d.Routes, ", ") + ": "
	}
	return comment(text + d.Text)
}

// comment keeps a text on its line.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xFEFF {
			return ' '
		}
		return r
	}, s)
}

// YAML writes one HTTPRoute.
func (r *HTTPRoute) YAML() string {
	y := &yamlWriter{}
	y.line(0, "apiVersion: %s", r.APIVersion)
	y.line(0, "kind: %s", r.Kind)
	y.line(0, "metadata:")
	y.line(1, "name: %s", quote(r.Metadata.Name))
	if r.Metadata.Namespace != "" {
		y.line(1, "namespace: %s", quote(r.Metadata.Namespace))
	}
	y.line(0, "spec:")
	y.line(1, "parentRefs:")
	for _, p := range r.Spec.ParentRefs {
		y.line(1, "- name: %s", quote(p.Name))
		if p.Namespace != "" {
			y.line(2, "namespace: %s", quote(p.Namespace))
		}
	}
	if len(r.Spec.Hostnames) > 0 {
		y.line(1, "hostnames:")
	}
	for _, h := range r.Spec.Hostnames {
		y.line(1, "- %s", quote(h))
	}
	y.line(1, "rules:")
	for i := range r.Spec.Rules {
		y.rule(&r.Spec.Rules[i])
	}
	return y.b.String()
}

type yamlWriter struct{ b strings.Builder }

func (y *yamlWriter) line(depth int, format string, args ...any) {
	y.b.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(&y.b, format+"\n", args...)
}

func (y *yamlWriter) rule(r *Rule) {
	if r.Comment != "" {
		y.line(1, "# %s", comment(r.Comment))
	}
	y.line(1, "- matches:")
	for _, m := range r.Matches {
		y.line(2, "- path: {type: %s, value: %s}", m.Path.Type, quote(m.Path.Value))
		if m.Method != "" {
			y.line(3, "method: %s", m.Method)
		}
		y.values("headers", m.Headers)
		y.values("queryParams", m.Query)
	}
	if len(r.Filters) > 0 {
		y.line(2, "filters:")
	}
	for _, f := range r.Filters {
		y.line(2, "- type: %s", f.Type)
		y.line(3, "requestMirror:")
		y.line(4, "backendRef: {%s}", ref(f.Mirror.Backend))
		if f.Mirror.Percent != nil {
			y.line(4, "percent: %d", *f.Mirror.Percent)
		}
		if f := f.Mirror.Fraction; f != nil {
			y.line(4, "fraction: {numerator: %d, denominator: %d}", f.Numerator, f.Denominator)
		}
	}
	y.line(2, "backendRefs:")
	for _, b := range r.BackendRefs {
		y.line(2, "- {%s}", ref(b))
	}
	if r.Timeouts != nil {
		y.line(2, "timeouts: {backendRequest: %s}", quote(r.Timeouts.BackendRequest))
	}
}

func (y *yamlWriter) values(key string, all []ValueMatch) {
	if len(all) > 0 {
		y.line(3, "%s:", key)
	}
	for _, v := range all {
		y.line(3, "- {type: %s, name: %s, value: %s}", v.Type, quote(v.Name), quote(v.Value))
	}
}

func ref(b BackendRef) string {
	text := "name: " + quote(b.Name)
	if b.Namespace != "" {
		text += ", namespace: " + quote(b.Namespace)
	}
	text += ", port: " + strconv.Itoa(b.Port)
	if b.Weight != nil {
		text += ", weight: " + strconv.Itoa(*b.Weight)
	}
	return text
}

// quote writes a text so that YAML reads it as one, whatever it holds.
func quote(s string) string { return strconv.QuoteToASCII(s) }
