package strangler_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/reference/admin.md names every metric that there is and no other.
func TestMetricsReference(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	r := start(t, guarded(m.URL, deadURL(t), "{ open_at: 1 of 1 }"))
	r.do("GET", "/s/x", nil)
	r.send("GET /a%00 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	await(t, "a fallback", func() bool { return r.status().Routes[0].Fallbacks == 1 })
	pair := newPair(t)
	text := strings.Replace(guarded(m.URL, deadURL(t), "{ open_at: 1 of 1 }"), "to: s, stage: live", "to: s, stage: canary 5%, expires: 1h, promote: {}", 1)
	r.write(text + pair.yaml())
	await(t, "the certificate", func() bool { return len(r.status().Certificates) == 1 })
	await(t, "the lease", func() bool {
		a := r.status().Routes[0].Automation
		return a != nil && a.LeaseUntil != nil && a.Checks != nil
	})
	r.order("PUT", "/-/splits/reviews", `{"phase": "window"}`)
	page, err := os.ReadFile("../docs/reference/admin.md")
	if err != nil {
		t.Fatal(err)
	}
	have := names(`(?m)^# TYPE (strangler_\w+) `, r.admin("GET", "/metrics").text)
	documented := names("(?m)^\\| `(strangler_\\w+)`", string(page))
	if !slices.Equal(have, documented) {
		t.Errorf("the proxy has %v\nthe page has %v", have, documented)
	}
}

func names(pattern, text string) []string {
	var all []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}
