package mixes_test

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestSuiteCanFail points the suite at servers that agree to everything, or to
// nothing, in the right form: hardly a test may be content with that.
func TestSuiteCanFail(t *testing.T) {
	for name, answer := range map[string]struct {
		status int
		body   string
	}{
		"200 {}":          {200, `{}`},
		"201 with an id":  {201, `{"id": 1, "items": []}`},
		"404 as an error": {404, `{"error": {"code": "not_found", "message": "no", "request_id": "r"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("X-Request-Id", "r")
				w.WriteHeader(answer.status)
				io.WriteString(w, answer.body)
			}))
			defer server.Close()
			v := suite(t, server.URL, ".")
			if total := len(v.failed) + len(v.passed); 100*len(v.failed) < 95*total {
				t.Errorf("only %d of %d tests fail; content are %v", len(v.failed), total, v.passed)
			}
		})
	}
}

// A mutant is a shop with one thing wrong, and the tests (A|B) that must all notice.
type mutant struct {
	name     string
	tests    string
	request  func(*http.Request)
	response func(res *http.Response, body []byte) []byte
}

var mutants = []mutant{
	{name: "unknown things are found", tests: "TestUnknownThings", response: func(res *http.Response, body []byte) []byte {
		if res.StatusCode == 404 {
			res.StatusCode = 200
		}
		return body
	}},
	{name: "created things have no place", tests: "TestGuestCart|TestAddresses|TestReviewByBuyer", response: func(res *http.Response, body []byte) []byte {
		if res.StatusCode == 201 {
			res.Header.Del("Location")
		}
		return body
	}},
	{name: "products have no ETag", tests: "TestProductETag", response: func(res *http.Response, body []byte) []byte {
		res.Header.Del("ETag")
		return body
	}},
	{name: "nothing is ever unchanged", tests: "TestProductETag", request: func(r *http.Request) { r.Header.Del("If-None-Match") }},
	{name: "a cent more", tests: "TestQuoteAddsUp|TestCheckout", response: eachObject(func(o map[string]any) {
		if n, ok := o["total_cents"].(float64); ok {
			o["total_cents"] = n + 1
		}
	})},
	{name: "a cent of tax too little", tests: "TestQuoteAddsUp", response: eachObject(func(o map[string]any) {
		if n, ok := o["tax_cents"].(float64); ok && n > 0 {
			o["tax_cents"] = n - 1
		}
	})},
	{name: "one piece more than there is", tests: "TestStock|TestCancel|TestFiftyBuyersTenPieces", response: eachObject(func(o map[string]any) {
		if n, ok := o["available"].(float64); ok {
			o["available"] = n + 1
		}
	})},
	{name: "a rating is missing", tests: "TestProductSearch|TestProduct", response: eachObject(func(o map[string]any) { delete(o, "rating_count") })},
	{name: "a password shows", tests: "TestRegister|TestLogin", response: eachObject(func(o map[string]any) {
		if o["email"] != nil {
			o["password_hash"] = "x"
		}
	})},
	{name: "lists are reversed", tests: "TestProductSearch|TestOrderList|TestReviewList", response: eachObject(func(o map[string]any) {
		if list, ok := o["items"].([]any); ok {
			slices.Reverse(list)
		}
	})},
	{name: "lists lose their last", tests: "TestProductPaging|TestOrderList|TestNotifications", response: eachObject(func(o map[string]any) {
		if list, ok := o["items"].([]any); ok && len(list) > 1 {
			o["items"] = list[:len(list)-1]
		}
	})},
	{name: "empty lists are null", tests: "TestAddresses|TestOrderList", response: eachObject(func(o map[string]any) {
		if list, ok := o["items"].([]any); ok && len(list) == 0 {
			o["items"] = nil
		}
	})},
	{name: "times have no milliseconds", tests: "TestRegister|TestProduct", response: eachObject(func(o map[string]any) {
		if s, ok := o["created_at"].(string); ok {
			o["created_at"] = s[:19] + "Z"
		}
	})},
	{name: "each checkout is a new one", tests: "TestCheckoutIsIdempotent|TestRefunds", request: func() func(*http.Request) {
		var n atomic.Int64
		return func(r *http.Request) {
			if r.Header.Get("Idempotency-Key") != "" {
				r.Header.Set("Idempotency-Key", strconv.FormatInt(n.Add(1), 10))
			}
		}
	}()},
	{name: "other sites may write", tests: "TestCrossOriginWrites", request: func(r *http.Request) {
		r.Header.Del("Origin")
		r.Header.Del("Sec-Fetch-Site")
	}},
	{name: "scripts may read the session", tests: "TestRegister", response: func(res *http.Response, body []byte) []byte {
		for i, c := range res.Header["Set-Cookie"] {
			res.Header["Set-Cookie"][i] = strings.ReplaceAll(c, "; HttpOnly", "")
		}
		return body
	}},
	{name: "any webhook is believed", tests: "TestWebhookRefused", response: func(res *http.Response, body []byte) []byte {
		if strings.HasSuffix(res.Request.URL.Path, "/webhook") && res.StatusCode == 401 {
			res.StatusCode, body = 204, nil
		}
		return body
	}},
	{name: "the shop's request id is another", tests: "TestRequestID|TestUnknownThings", response: func(res *http.Response, body []byte) []byte {
		res.Header.Set("X-Request-Id", "another")
		return body
	}},
	{name: "pages have no policy", tests: "TestPages", response: func(res *http.Response, body []byte) []byte {
		res.Header.Del("Content-Security-Policy")
		return body
	}},
	{name: "text becomes markup", tests: "TestNothingIsMarkup|TestRecommendationsFragment", response: func(res *http.Response, body []byte) []byte {
		if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			body = []byte(html.UnescapeString(string(body)))
		}
		return body
	}},
	{name: "signing in leads anywhere", tests: "TestSignInPages", response: func(res *http.Response, body []byte) []byte {
		if res.Request.URL.Path == "/login" && res.StatusCode == 303 {
			res.Header.Set("Location", "//evil.example/")
		}
		return body
	}},
	{name: "guests see the administration", tests: "TestSessionIsNeeded|TestPagesThatNeedASession", response: func(res *http.Response, body []byte) []byte {
		if res.StatusCode == 401 || res.StatusCode == 303 {
			res.StatusCode = 200
		}
		return body
	}},
	{name: "recommendations are somebody else's", tests: "TestRecommendationsFillUpFromCategory", response: eachObject(func(o map[string]any) {
		if o["reason"] == "same_category" {
			o["reason"] = "popular"
		}
	})},
}

// TestSuiteNoticesMutants breaks one thing at a time in front of a sound monolith.
// The same tests must pass when nothing is broken.
func TestSuiteNoticesMutants(t *testing.T) {
	monolith := newMonolith(t)
	t.Run("a sound shop", func(t *testing.T) {
		t.Parallel()
		var all []string
		for _, m := range mutants {
			all = append(all, m.tests)
		}
		suite(t, inFrontOf(t, monolith.URL, mutant{}), "^("+strings.Join(all, "|")+")$").green(t)
	})
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			v := suite(t, inFrontOf(t, monolith.URL, m), "^("+m.tests+")$")
			for _, name := range v.passed {
				t.Errorf("%s does not notice", name)
			}
		})
	}
}

// inFrontOf starts a server that passes everything to url but for what m breaks.
func inFrontOf(t *testing.T, target string, m mutant) string {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			if m.request != nil {
				m.request(r.Out)
			}
		},
		ModifyResponse: func(res *http.Response) error {
			if m.response == nil {
				return nil
			}
			body, err := io.ReadAll(res.Body)
			if err != nil {
				return err
			}
			body = m.response(res, body)
			res.Body = io.NopCloser(bytes.NewReader(body))
			res.ContentLength = int64(len(body))
			res.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	})
	t.Cleanup(server.Close)
	return server.URL
}

// eachObject applies change to every object in a JSON answer, from the outside in.
func eachObject(change func(map[string]any)) func(*http.Response, []byte) []byte {
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			change(v)
			for _, child := range v {
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	return func(_ *http.Response, body []byte) []byte {
		var v any
		if json.Unmarshal(body, &v) != nil {
			return body
		}
		walk(v)
		out, err := json.Marshal(v)
		if err != nil {
			return body
		}
		return out
	}
}
