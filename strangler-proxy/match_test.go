package strangler_test

import "testing"

// A route with conditions takes the requests that fulfil them, and only those.
func TestConditionsDecide(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "monolith")+`
  beta: { match: { method: GET, path: "/s/{id}", headers: { X-Beta: "yes" } }, to: s, stage: live }
  page: { match: { path: "/s/{id}", host: shop.example, query: { page: 2 } }, to: s, stage: live }
`)
	for _, c := range []struct {
		method, path string
		headers      []string
		want         string
	}{
		{"GET", "/s/1", nil, "monolith"},
		{"GET", "/s/1", []string{"X-Beta", "yes"}, "s"},
		{"GET", "/s/1", []string{"x-beta", "no"}, "monolith"},
		{"POST", "/s/1", []string{"X-Beta", "yes"}, "monolith"},
		{"POST", "/s/1?a=1&page=2", []string{"Host", "shop.example:8080"}, "s"},
		{"POST", "/s/1?page=3", []string{"Host", "shop.example"}, "monolith"},
		{"POST", "/s/1?page=2", nil, "monolith"},
	} {
		if got := r.do(c.method, c.path, nil, c.headers...).saw.Server; got != c.want {
			t.Errorf("%s %s %v: answered by %s, want %s", c.method, c.path, c.headers, got, c.want)
		}
	}
}
