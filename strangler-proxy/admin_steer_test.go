package strangler_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// order sends a JSON body to the admin address, with further headers.
func (r *rig) order(method, path, body string, headers ...string) reply {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://"+r.proxy.AdminAddr().String()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		switch {
		case headers[i] == "Host":
			req.Host = headers[i+1]
		case headers[i+1] == "":
			req.Header.Del(headers[i])
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

func (r *rig) file() string {
	r.t.Helper()
	text, err := os.ReadFile(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// wantError checks an answer that is an error, and returns it.
func wantError(t *testing.T, got reply, status int, code string) map[string]any {
	t.Helper()
	var body struct{ Error map[string]any }
	if err := json.Unmarshal([]byte(got.text), &body); err != nil || got.StatusCode != status || body.Error["code"] != code {
		t.Fatalf("got %s %.400s, want %d %s", got.Status, got.text, status, code)
	}
	return body.Error
}

func TestRoutesByAPI(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, strings.Replace(oneRoute(m.URL, s.URL, "monolith"), "off }\n", "off } # é: one word\n", 2))
	before := r.file()
	list := r.admin("GET", "/routes")
	tag := list.Header.Get("ETag")
	if list.StatusCode != 200 || tag != `"`+config.HashOf([]byte(before))+`"` || !strings.Contains(list.text, `"stage": "monolith"`) {
		t.Fatalf("%s %s %s", list.Status, tag, list.text)
	}
	if got := r.admin("GET", "/routes/r"); got.StatusCode != 200 || got.Header.Get("ETag") != tag || !strings.Contains(got.text, `"to": "s"`) {
		t.Errorf("%s %s", got.Status, got.text)
	}
	if e := wantError(t, r.admin("GET", "/routes/rr"), 404, "not_found"); e["remedy"] != `did you mean "r"?` {
		t.Errorf("%v", e)
	}
	refused := wantError(t, r.order("PATCH", "/routes/r", `{"stage": "live"}`, "If-Match", tag), 409, "refused")
	if len(refused["objections"].([]any)) != 3 || r.file() != before {
		t.Errorf("%v", refused)
	}
	got := r.order("PATCH", "/routes/r", `{"stage": "live", "reason": "a rehearsal", "force": true}`, "If-Match", tag)
	after := strings.Replace(before, "stage: monolith", "stage: live", 1)
	if got.StatusCode != 200 || r.file() != after || got.Header.Get("ETag") != `"`+config.HashOf([]byte(after))+`"` {
		t.Fatalf("%s %s\n%s", got.Status, got.text, r.file())
	}
	if saw := r.do("GET", "/s/x", nil).saw.Server; saw != "s" { // the answer came after the switch
		t.Errorf("answered by %q", saw)
	}
	wantError(t, r.order("PATCH", "/routes/r", `{"stage": "monolith"}`, "If-Match", tag), 412, "stale")
	if r.file() != after {
		t.Error("a stale request changed the file")
	}
	h := r.history()
	if len(h) != 1 || h[0].Actor != "api" || h[0].Reason != "a rehearsal" || fmt.Sprint(h[0].Forced) != "[steps evidence writes]" {
		t.Errorf("%+v", h)
	}
	if got := r.admin("GET", "/audit?route=r&limit=5"); got.StatusCode != 200 || !strings.Contains(got.text, `"reason": "a rehearsal"`) {
		t.Errorf("%s %s", got.Status, got.text)
	}
	if err := os.Chmod(r.path, 0o400); err != nil {
		t.Fatal(err)
	}
	readOnly := wantError(t, r.order("PATCH", "/routes/r", `{"stage": "monolith"}`), 409, "read_only")
	if patch, _ := readOnly["patch"].(string); !strings.Contains(patch, "\n-  r: { match: /s/**, to: s, stage: live, shadow: off } # é: one word\n+  r: { match: /s/**, to: s, stage: monolith, shadow: off } # é: one word\n") {
		t.Errorf("%v", readOnly)
	}
}

func TestGroupsByAPI(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	text := fmt.Sprintf("monolith: %s\nservices: { s: \"%s\" }\ngroups:\n  g: { routes: [a, b], stage: shadow }\nroutes:\n  a: { match: GET /a, to: s }\n  b: { match: GET /b, to: s }\n  c: { match: GET /c, to: s, stage: shadow }\n", m.URL, s.URL)
	r := start(t, text)
	if got := r.admin("GET", "/routes/g"); got.StatusCode != 200 || !strings.Contains(got.text, `"stage": "shadow"`) {
		t.Errorf("%s %s", got.Status, got.text)
	}
	wantError(t, r.order("PATCH", "/routes/a", `{"stage": "canary 5%"}`), 422, "invalid")
	wantError(t, r.order("PATCH", "/routes", `{"stages": {"g": "canary 5%", "c": "done"}}`), 409, "refused")
	wantError(t, r.order("PATCH", "/routes", `{"stages": {}}`), 422, "invalid")
	if r.file() != header+text {
		t.Error("half of it was done")
	}
	got := r.order("PATCH", "/routes", `{"stages": {"g": "canary 5%", "c": "canary 1%"}}`)
	if want := strings.Replace(strings.Replace(text, "b], stage: shadow", "b], stage: canary 5%", 1), "to: s, stage: shadow", "to: s, stage: canary 1%", 1); got.StatusCode != 200 || r.file() != header+want {
		t.Fatalf("%s %s\n%s", got.Status, got.text, r.file())
	}
	if got := r.order("POST", "/routes/b/rollback", `{"reason": "wrong"}`); got.StatusCode != 200 || !strings.Contains(got.text, `"name": "g"`) {
		t.Errorf("%s %s", got.Status, got.text)
	}
	for _, action := range []string{"pause", "resume", "confirm"} {
		if got := r.order("POST", "/routes/c/"+action, ""); got.StatusCode != 200 {
			t.Errorf("%s: %s %s", action, got.Status, got.text)
		}
	}
	if n := len(r.history()); n != 6 {
		t.Errorf("%d entries", n)
	}
}

// Rollback and panic are effective at once, also while the service hangs.
func TestEmergenciesByAPI(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	hangs, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hangs.Close()
	r := start(t, strings.Replace(oneRoute(m.URL, "http://"+hangs.Addr().String(), "live"), "services:", "force: { cidrs: [127.0.0.0/8] }\nservices:", 1))
	stuck := make(chan reply, 1)
	go func() {
		got, _ := r.try("GET", "/s/stuck", nil)
		stuck <- got
	}()
	await(t, "the request that hangs", func() bool { return r.status().InFlight == 1 })
	effective := func(what string, do func() reply) {
		t.Helper()
		begun := time.Now()
		if got := do(); got.StatusCode != 200 {
			t.Fatalf("%s: %s %s", what, got.Status, got.text)
		}
		if got := r.do("GET", "/s/x", nil, "X-Strangler-Force", "service", "Cookie", "strangler_force=service"); got.saw.Server != "monolith" || time.Since(begun) > time.Second {
			t.Errorf("%s: answered by %q after %s", what, got.saw.Server, time.Since(begun))
		}
	}
	wantError(t, r.order("POST", "/panic", `{}`), 422, "invalid")
	effective("panic", func() reply { return r.order("POST", "/panic", `{"reason": "it hangs"}`) })
	if got := r.admin("GET", "/routes"); !strings.Contains(got.text, `"panic": "it hangs"`) {
		t.Errorf("%s", got.text)
	}
	if got := r.order("DELETE", "/panic", "", "Content-Type", ""); got.StatusCode != 200 {
		t.Errorf("%s %s", got.Status, got.text)
	}
	effective("rollback", func() reply { return r.order("POST", "/routes/r/rollback", "", "Content-Type", "") })
	if _, frozen := r.history().Frozen("r"); !frozen {
		t.Error("automation may move the route")
	}
	hangs.Close()
	<-stuck
}

// What a request must not look like is refused, and changes nothing.
func TestHostileOrders(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, oneRoute(m.URL, s.URL, "live"))
	before := r.file()
	good := `{"stage": "monolith"}`
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
	}{
		"foreign host":           {"PATCH", "/routes/r", good, []string{"Host", "evil.example"}, 403},
		"foreign origin":         {"PATCH", "/routes/r", good, []string{"Origin", "http://evil.example"}, 403},
		"no origin":              {"PATCH", "/routes/r", good, []string{"Origin", "null"}, 403},
		"other port":             {"PATCH", "/routes/r", good, []string{"Origin", "http://127.0.0.1:1"}, 403},
		"cross-site":             {"POST", "/panic", `{"reason":"x"}`, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"same-site":              {"DELETE", "/panic", "", []string{"Sec-Fetch-Site", "same-site"}, 403},
		"text":                   {"PATCH", "/routes/r", good, []string{"Content-Type", "text/plain"}, 415},
		"form":                   {"POST", "/panic", "reason=x", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"form without a body":    {"POST", "/routes/r/rollback", "", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"no type":                {"PATCH", "/routes/r", good, []string{"Content-Type", ""}, 415},
		"json in disguise":       {"PATCH", "/routes/r", good, []string{"Content-Type", "text/plain; application/json"}, 415},
		"large":                  {"PATCH", "/routes/r", `{"reason": "` + strings.Repeat("x", 20<<10) + `"}`, nil, 413},
		"no json":                {"PATCH", "/routes/r", `stage: monolith`, nil, 400},
		"empty":                  {"PATCH", "/routes/r", ``, nil, 400},
		"list":                   {"PATCH", "/routes/r", `["monolith"]`, nil, 400},
		"number":                 {"PATCH", "/routes/r", `{"stage": 5}`, nil, 400},
		"unknown key":            {"PATCH", "/routes/r", `{"stage": "monolith", "froce": true}`, nil, 400},
		"key twice":              {"PATCH", "/routes/r", `{"stage": "live", "stage": "monolith"}`, nil, 400},
		"key twice in a mapping": {"PATCH", "/routes", `{"stages": {"r": "live", "r": "monolith"}}`, nil, 400},
		"two values":             {"PATCH", "/routes/r", good + good, nil, 400},
		"no stage":               {"PATCH", "/routes/r", `{}`, nil, 422},
		"bad stage":              {"PATCH", "/routes/r", `{"stage": "monolit"}`, nil, 422},
		"stage with yaml":        {"PATCH", "/routes/r", `{"stage": "monolith }\nadmin: {listen: x"}`, nil, 422},
		"long reason":            {"PATCH", "/routes/r", `{"stage": "monolith", "reason": "` + strings.Repeat("x", 2000) + `"}`, nil, 422},
		"forced without reason":  {"PATCH", "/routes/r", `{"stage": "monolith", "force": true}`, nil, 422},
		"unknown route":          {"PATCH", "/routes/q", good, nil, 404},
		"path in a name":         {"PATCH", "/routes/..%2f..%2fetc", good, nil, 404},
		"unquoted tag":           {"PATCH", "/routes/r", good, []string{"If-Match", "abc"}, 412},
		"weak tag":               {"PATCH", "/routes/r", good, []string{"If-Match", `W/"` + config.HashOf([]byte(before)) + `"`}, 412},
		"stale tag":              {"POST", "/routes/r/rollback", ``, []string{"If-Match", `"0123456789abcdef"`}, 412},
		"get panic":              {"GET", "/panic", "", nil, 405},
		"get rollback":           {"GET", "/routes/r/rollback", "", nil, 405},
		"head":                   {"HEAD", "/routes/r/rollback", "", nil, 405},
		"put":                    {"PUT", "/routes/r", good, nil, 405},
		"override":               {"GET", "/routes/r", good, []string{"X-Http-Method-Override", "PATCH"}, 200},
		"longer path":            {"PATCH", "/routes/r/x", good, nil, 404},
		"upper case":             {"PATCH", "/ROUTES/r", good, nil, 404},
		"bad limit":              {"GET", "/audit?limit=-1", "", nil, 400},
	} {
		got := r.order(test.method, test.path, test.body, test.headers...)
		if got.StatusCode != test.status || r.file() != before {
			t.Errorf("%s: %s %.300s, want %d", name, got.Status, got.text, test.status)
		}
	}
	if e := wantError(t, r.order("PATCH", "/routes/r", `{"stage": "monolit"}`), 422, "invalid"); e["remedy"] != `did you mean "monolith"?` {
		t.Errorf("%v", e)
	}
	if len(r.history()) != 0 {
		t.Errorf("%+v", r.history())
	}
	for _, path := range []string{"/routes/r", "/panic", "/./routes/r", "/x/../panic", "//routes/r"} { // the public address
		if got := r.do("PATCH", path, strings.NewReader(good), "Content-Type", "application/json"); got.saw.Server != "monolith" && got.StatusCode != 400 {
			t.Errorf("%s: %s from %q", path, got.Status, got.Header.Get("X-Strangler-Served-By"))
		}
	}
}

const (
	secretCI = "ci-0123456789abcdef-SECRET"
	secretMe = "me-0123456789abcdef-SECRET"
)

func tokenFile(t *testing.T, text string, mode os.FileMode) string {
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTokens(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	tokens := tokenFile(t, "# who may\nci "+secretCI+"\nme "+secretMe+"\n", 0o600)
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	text := "version: 1\nlisten: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0, token_file: " + tokens + " }\n" + oneRoute(m.URL, s.URL, "live")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startAt(t, path)
	for _, authorization := range []string{
		"", "Bearer", "Bearer ", "Bearer x", "Bearer " + secretCI[:len(secretCI)-1], "Bearer " + secretCI + "x", "Basic " + secretCI, secretCI,
		"Bearer ci " + secretCI, "Bearer " + strings.ToLower(secretCI), "Bearer #",
	} {
		for _, request := range []string{"GET /status", "GET /metrics", "GET /routes", "GET /audit", "GET /", "GET /nothing", "PATCH /routes/r", "POST /-/reload", "POST /panic", "DELETE /panic"} {
			method, path, _ := strings.Cut(request, " ")
			got := r.order(method, path, "{}", "Authorization", authorization)
			wantError(t, got, 401, "unauthorized")
			if got.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s does not say how", request)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} { // probes have no token
		if got := r.admin("GET", path); got.StatusCode != 200 {
			t.Errorf("%s: %s", path, got.Status)
		}
	}
	mine := []string{"Authorization", "Bearer " + secretCI}
	if got := r.order("PATCH", "/routes/r", `{"stage": "monolith"}`, mine...); got.StatusCode != 200 {
		t.Fatalf("%s %s", got.Status, got.text)
	}
	if h := r.history(); len(h) != 1 || h[0].Actor != "token:ci" {
		t.Errorf("%+v", h)
	}
	wantError(t, r.order("GET", "/status", "", append(mine, "Host", "evil.example")...), 403, "forbidden") // loopback keeps to its names
	for _, page := range []string{"/status", "/metrics", "/routes", "/audit", "/traces"} {
		if got := r.order("GET", page, "", mine...); strings.Contains(got.text, "SECRET") {
			t.Errorf("%s shows a token", page)
		}
	}
	if strings.Contains(r.log.String(), "SECRET") {
		t.Error("the log shows a token")
	}
	// A new token counts from the next reload on, the old one no longer.
	if err := os.WriteFile(tokens, []byte(secretMe+"x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.proxy.Reload(); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.order("GET", "/status", "", mine...), 401, "unauthorized")
	if got := r.order("GET", "/status", "", "Authorization", "bearer "+secretMe+"x"); got.StatusCode != 200 {
		t.Errorf("%s", got.Status)
	}
	if err := os.Remove(tokens); err != nil {
		t.Fatal(err)
	}
	if err := r.proxy.Reload(); err == nil {
		t.Error("a reload without the token file")
	}
	if got := r.order("GET", "/status", "", "Authorization", "Bearer "+secretMe+"x"); got.StatusCode != 200 || !strings.Contains(got.text, "rejected") {
		t.Errorf("%s %s", got.Status, got.text)
	}
}

// Beyond loopback a token is needed, else the proxy does not start, nor lose it later.
func TestAdminBeyondLoopback(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	tokens := tokenFile(t, secretMe+"\n", 0o600)
	with := func(keys string) string {
		return "version: 1\nlisten: 127.0.0.1:0\nadmin: { listen: \"0.0.0.0:0\"" + keys + " }\nmonolith: " + m.URL + "\n"
	}
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(with(""))
	if p, err := strangler.New(t.Context(), strangler.Options{ConfigPath: path}); err == nil || !strings.Contains(err.Error(), "token_file") {
		if p != nil {
			p.Close()
		}
		t.Fatalf("started without a token: %v", err)
	}
	write(with(", token_file: " + tokens))
	r := startAt(t, path)
	_, port, _ := net.SplitHostPort(r.proxy.AdminAddr().String())
	ask := func(headers ...string) int {
		req, _ := http.NewRequest("GET", "http://127.0.0.1:"+port+"/status", nil)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
			if headers[i] == "Host" {
				req.Host = headers[i+1]
			}
		}
		res, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	bearer := []string{"Authorization", "Bearer " + secretMe}
	for _, test := range []struct {
		headers []string
		want    int
	}{
		{nil, 401},
		{bearer, 200},
		{append([]string{"Host", "proxy.internal:8081"}, bearer...), 200},
		{[]string{"Host", "proxy.internal:8081"}, 403},
		{append([]string{"Origin", "http://evil.example"}, bearer...), 403},
	} {
		if got := ask(test.headers...); got != test.want {
			t.Errorf("%v: %d, want %d", test.headers, got, test.want)
		}
	}
	write(strings.Replace(with(""), "0.0.0.0:0", "127.0.0.1:0", 1)) // bound as before, and now without tokens?
	if err := r.proxy.Reload(); err == nil || ask() != 401 {
		t.Errorf("the tokens are gone: %v", err)
	}
}

func TestTokenFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"readable":    {secretMe, 0o644, "chmod 600"},
		"writable":    {secretMe, 0o620, "chmod 600"},
		"empty":       {"\n# nothing\n", 0o600, "holds no token"},
		"short":       {"short\n", 0o600, "at least 16"},
		"three words": {"a b " + secretMe, 0o600, "NAME TOKEN"},
		"bad name":    {"a/b " + secretMe, 0o600, "the name"},
		"name twice":  {"a " + secretMe + "\na " + secretCI, 0o600, "twice"},
		"token twice": {"a " + secretMe + "\nb " + secretMe, 0o600, "twice"},
		"huge":        {strings.Repeat("#\n", 40<<10), 0o600, "larger"},
	} {
		_, err := admin.ReadTokens(tokenFile(t, test.text, test.mode))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := admin.ReadTokens(t.TempDir()); err == nil {
		t.Error("a folder holds tokens")
	}
	if got, err := admin.ReadSecret(tokenFile(t, "a "+secretMe+"\nb "+secretCI+"\n", 0o640)); err != nil || got != secretMe {
		t.Errorf("%v %q", err, got)
	}
}

// A thousand toggles at once leave what a serial order of them leaves, and each has its
// line in the log; with an ETag, of two that saw the same file one is refused.
func TestManyToggles(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, "guard: off\n"+strings.Replace(oneRoute(m.URL, s.URL, "monolith"), "/s/**", "GET /s/**", 1))
	tag := r.admin("GET", "/routes").Header.Get("ETag")
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	toggle := func(stage string, headers ...string) {
		got := r.order("PATCH", "/routes/r", `{"stage": "`+stage+`"}`, headers...)
		mu.Lock()
		defer mu.Unlock()
		codes[got.StatusCode]++
	}
	for range 8 {
		all.Go(func() { toggle("shadow", "If-Match", tag) })
	}
	all.Wait()
	if codes[200] != 1 || codes[412] != 7 {
		t.Errorf("with one ETag: %v", codes)
	}
	codes = map[int]int{}
	stages := []string{"monolith", "shadow", "canary 5%", "live", "done"}
	for w := range 50 {
		all.Go(func() {
			for i := range 20 {
				toggle(stages[(w+i)%4])
			}
		})
	}
	all.Wait()
	if codes[200] != 1000 {
		t.Errorf("%v", codes)
	}
	report, err := audit.Verify(audit.Path(r.path), "")
	if err != nil || len(report.Problems) > 0 || report.NewHash != config.HashOf([]byte(r.file())) {
		t.Fatalf("%v %+v", err, report)
	}
	stage, hash := "monolith", strings.Trim(tag, `"`)
	for i, e := range r.history() {
		if e.From != stage || e.OldHash != hash || e.From == e.To {
			t.Fatalf("entry %d does not follow: %+v", i, e)
		}
		stage, hash = e.To, e.NewHash
	}
	if got := r.status(); got.Routes[0].Stage != stage || got.Config.Hash != hash || !strings.Contains(r.file(), "stage: "+stage+",") {
		t.Errorf("the log ends at %s, the proxy is at %s\n%s", stage, got.Routes[0].Stage, r.file())
	}
}
