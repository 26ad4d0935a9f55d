package strangler_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// admin sends a request to the admin listener.
func (r *rig) admin(method, path string, headers ...string) reply {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.proxy.AdminAddr().String()+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{Response: res, text: string(text)}
}

func TestAdminPages(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "live"))
	r.do("GET", "/s/x", nil)
	r.do("GET", "/other", nil)
	await(t, "the counters", func() bool { return r.status().Default.Monolith == 1 })
	for path, want := range map[string]string{
		"/healthz": "ok\n", "/readyz": "ready\n", "/": "strangler proxy", "/status": `"stage": "live"`,
		"/metrics": `strangler_requests_total{class="2xx",route="r",side="service"} 1`,
	} {
		if got := r.admin("GET", path); got.StatusCode != 200 || !strings.Contains(got.text, want) {
			t.Errorf("%s: %v %.300s", path, got.Status, got.text)
		}
	}
	var st admin.Status
	if err := json.Unmarshal([]byte(r.admin("GET", "/status").text), &st); err != nil {
		t.Fatal(err)
	}
	if st.Listen != r.proxy.Addr().String() || st.Config.State != "active" || st.Config.Path != r.path || st.Routes[0].Service != 1 || st.Services[0].URLs[0] != s.URL {
		t.Errorf("%+v", st)
	}
	if got := r.admin("POST", "/-/reload"); got.StatusCode != 200 || !strings.Contains(got.text, `"version": 1`) {
		t.Errorf("reload: %v %s", got.Status, got.text)
	}
	for _, request := range []string{"GET /-/reload", "DELETE /status", "POST /status", "GET /nothing", "GET /status/x"} {
		method, path, _ := strings.Cut(request, " ")
		if got := r.admin(method, path); got.StatusCode != 405 && got.StatusCode != 404 {
			t.Errorf("%s: %v", request, got.Status)
		}
	}
}

func TestAdminRefusesWebPages(t *testing.T) {
	t.Parallel()
	r := start(t, "monolith: "+newEcho(t, "monolith").URL+"\n")
	own := r.proxy.AdminAddr().String()
	for _, test := range []struct {
		headers []string
		want    int
	}{
		{[]string{"Host", "evil.example"}, 403},
		{[]string{"Host", "localhost.evil.example:8081"}, 403},
		{[]string{"Host", "10.0.0.1:8081"}, 403},
		{[]string{"Origin", "http://evil.example"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Origin", "http://127.0.0.1:1"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Sec-Fetch-Site", "same-site"}, 403},
		{[]string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{[]string{"Content-Type", "text/plain"}, 415},
		{[]string{"Content-Type", "multipart/form-data; boundary=x"}, 415},
		{[]string{"Host", "localhost:8081"}, 200},
		{[]string{"Host", "[::1]:8081"}, 200},
		{[]string{"Origin", "http://" + own, "Sec-Fetch-Site", "same-origin"}, 200},
		{[]string{"Content-Type", "application/json"}, 200},
	} {
		if got := r.admin("POST", "/-/reload", test.headers...); got.StatusCode != test.want {
			t.Errorf("%v: %v, want %d", test.headers, got.Status, test.want)
		}
	}
}

// Whatever a client asks for, it is the application that answers.
func TestAdminIsNotOnThePublicPort(t *testing.T) {
	t.Parallel()
	r := start(t, "monolith: "+newEcho(t, "monolith").URL+"\n")
	for _, path := range []string{"/healthz", "/metrics", "/status", "/readyz", "/-/reload", "/./status", "/x/../status", "/%2e/status"} {
		got := r.do("POST", path, nil)
		if got.saw.Server != "monolith" {
			t.Errorf("%s was answered by %q: %.100s", path, got.Header.Get("X-Strangler-Served-By"), got.text)
		}
	}
	if got := r.do("GET", "/status", nil, "Host", r.proxy.AdminAddr().String()); got.saw.Server != "monolith" {
		t.Errorf("with the admin's Host: %.100s", got.text)
	}
}

func TestAdminMustBeLoopback(t *testing.T) {
	t.Parallel()
	cfg, err := config.Single("127.0.0.1:0", "127.0.0.1:0", "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		p, err := strangler.New(t.Context(), strangler.Options{Config: cfg, Admin: address})
		if err == nil {
			p.Close()
			t.Errorf("%s was accepted", address)
		} else if !strings.Contains(err.Error(), "is not a loopback address") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
