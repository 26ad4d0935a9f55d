package shadow_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// AC22: what counts as a difference, and of which kind.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	pack := func(text string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(text))
		w.Close()
		return b.Bytes()
	}
	deflate := func(text string) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		_, _ = w.Write([]byte(text))
		w.Close()
		return b.Bytes()
	}
	with := func(a shadow.Answer, header ...string) shadow.Answer {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		a.Fields = lines(h)
		return a
	}
	raw := func(body []byte, header ...string) shadow.Answer {
		a := with(ok(""), header...)
		a.Body = body
		return a
	}
	status := func(code int, body string) shadow.Answer {
		a := ok(body)
		a.Status = code
		return a
	}
	rules := shadow.Rules{Ignore: []string{"$.ts", "$.items[*].id"}, Margin: 5}
	strict := shadow.Rules{Headers: []string{"X-Version"}}
	for name, c := range map[string]struct {
		monolith, service shadow.Answer
		rules             shadow.Rules
		want              string // match, spelled, a kind or an error
	}{
		"equal":                        {ok(`{"a":1}`), ok(`{"a":1}`), rules, "match"},
		"the order of members":         {ok(`{"a":1,"b":2}`), ok(`{"b":2,"a":1}`), rules, "match"},
		"another spelling of a number": {ok(`{"a":1}`), ok(`{"a":1.0}`), rules, "spelled"},
		"another value":                {ok(`{"a":1}`), ok(`{"a":2}`), rules, "value"},
		"another type":                 {ok(`{"a":1}`), ok(`{"a":"1"}`), rules, "type"},
		"null for a value":             {ok(`{"a":1}`), ok(`{"a":null}`), rules, "type"},
		"a member less":                {ok(`{"a":1,"b":2}`), ok(`{"a":1}`), rules, "missing"},
		"a member more":                {ok(`{"a":1}`), ok(`{"a":1,"b":2}`), rules, "added"},
		"ignored":                      {ok(`{"ts":1,"items":[{"id":1,"n":"x"}]}`), ok(`{"ts":2,"items":[{"id":9,"n":"x"}]}`), rules, "match"},
		"beside what is ignored":       {ok(`{"ts":1,"items":[{"id":1,"n":"x"}]}`), ok(`{"ts":2,"items":[{"id":9,"n":"y"}]}`), rules, "value"},
		"the status":                   {ok(`{}`), status(404, `{}`), rules, "status"},
		"no JSON":                      {ok(`{}`), ok(`{`), rules, "malformed"},
		"no body":                      {ok(`{}`), ok(``), rules, "missing"},
		"a header that clients act on": {with(ok(`{}`), "Location", "/a"), with(ok(`{}`), "Location", "/b"), rules, "value"},
		"a header that they do not":    {with(ok(`{}`), "Date", "a", "X-Version", "1"), with(ok(`{}`), "Date", "b", "X-Version", "2"), rules, "match"},
		"a header that was chosen":     {with(ok(`{}`), "X-Version", "1"), with(ok(`{}`), "X-Version", "2"), strict, "value"},
		"one that was not":             {with(ok(`{}`), "Location", "/a"), with(ok(`{}`), "Location", "/b"), strict, "match"},
		"no header at all":             {with(ok(`{}`), "Location", "/a"), with(ok(`{}`), "Location", "/b"), shadow.Rules{Headers: []string{}}, "match"},
		"packed and plain":             {ok(`{"a":1}`), raw(pack(`{"a":1}`), "Content-Encoding", "gzip"), rules, "match"},
		"packed in two ways":           {raw(deflate(`{"a":1}`), "Content-Encoding", "deflate"), raw(pack(`{"a":2}`), "Content-Encoding", "GZip"), rules, "value"},
		"an unknown packing, equal":    {raw([]byte("\x01\x02"), "Content-Encoding", "br"), raw([]byte("\x01\x02"), "Content-Encoding", "br"), rules, "match"},
		"an unknown packing":           {raw([]byte("\x01\x02"), "Content-Encoding", "br"), raw([]byte("\x01\x03"), "Content-Encoding", "br"), rules, "unreadable"},
		"a bomb":                       {ok(`{}`), raw(pack(string(make([]byte, 40<<10))), "Content-Encoding", "gzip"), rules, "unreadable"},
		"the time of the answer":       {with(ok(`{}`), "Date", "a"), with(ok(`{}`), "Date", "b"), rules, "match"},
		"that time, chosen":            {with(ok(`{}`), "Date", "a"), with(ok(`{}`), "Date", "b"), shadow.Rules{Headers: []string{"date"}}, "value"},
		"another body in chunks": {
			shadow.Answer{Status: 200, Fields: ok("").Fields, Body: []byte("3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n"), Framed: true}, ok(`{"a":1,"b":2}`), rules, "added",
		},
		"in chunks": {
			shadow.Answer{Status: 200, Fields: ok("").Fields, Body: []byte("3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n"), Framed: true}, ok(`{"a":1}`), rules, "match",
		},
		"too large":  {ok(`{}`), shadow.Answer{Status: 200, Fields: ok("").Fields, Body: []byte("[1"), Truncated: true}, rules, "size"},
		"other text": {raw([]byte("a\nb"), "Content-Type", "text/plain"), raw([]byte("a\nc"), "Content-Type", "text/plain"), rules, "text"},
		"a cookie's attributes": {
			with(ok(`{}`), "Set-Cookie", "sid=1; HttpOnly"), with(ok(`{}`), "Set-Cookie", "sid=2"), rules, "cookie",
		},
	} {
		for _, reverse := range []bool{false, true} {
			primary, other, to := c.monolith, c.service, "s"
			if reverse {
				primary, other, to = c.service, c.monolith, "monolith"
			}
			if primary.Truncated || other.Truncated && reverse {
				continue // is never sent
			}
			config := oneRoute(shadow.Settings{Percent: 100, MaxBody: 4 << 10, Timeout: 1 << 40, Keep: 3}, shadow.Limits{InFlight: 1, Queue: 5})
			config.Routes[0].Rules = c.rules
			s := newShadow(t, func(context.Context, shadow.Copy) (shadow.Answer, error) { return other, nil }, config)
			s.Begin(shadow.Request{Route: "r", Method: "GET", To: to}).End(shadow.Primary{Head: plainHead, Answer: primary})
			st := quiet(t, s)
			if got := verdictOf(st); got != c.want {
				t.Errorf("%s, reverse %v: %s, want %s", name, reverse, got, c.want)
			}
			if m, _ := s.Mismatches("r", 0); len(m.Mismatches) != int(st.Mismatched) {
				t.Errorf("%s: %d kept", name, len(m.Mismatches))
			}
			s.Close()
		}
	}
}

func verdictOf(st shadow.Stats) string {
	for _, counts := range []map[string]uint64{st.Mismatches, st.Errors} {
		for kind := range counts {
			return kind
		}
	}
	switch {
	case st.Spelled == 1:
		return "spelled"
	case st.Matches == 1:
		return "match"
	}
	return "nothing"
}

// Rules that were never of use are named.
func TestUnusedRules(t *testing.T) {
	t.Parallel()
	config := oneRoute(shadow.Settings{Percent: 100, MaxBody: 4 << 10, Timeout: 1 << 40}, shadow.Limits{InFlight: 1, Queue: 5})
	config.Routes[0].Rules = shadow.Rules{Ignore: []string{"$.a", "$.gone"}}
	s := newShadow(t, func(context.Context, shadow.Copy) (shadow.Answer, error) { return ok(`{"a":2}`), nil }, config)
	defer s.Close()
	s.Begin(shadow.Request{Route: "r", Method: http.MethodGet, To: "s"}).End(shadow.Primary{Head: plainHead, Answer: ok(`{"a":1}`)})
	quiet(t, s)
	if m, _ := s.Mismatches("r", 0); !slices.Equal(m.Unused, []string{"$.gone"}) {
		t.Errorf("unused: %v", m.Unused)
	}
}
