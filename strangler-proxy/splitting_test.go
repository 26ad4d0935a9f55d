package strangler_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
)

func TestOwnersAreToldAndRefused(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, split(m.URL, s.URL, "shadow"))
	if got := r.flip("target", 3); got.StatusCode != 200 {
		t.Fatal(got.text)
	}
	file := r.file()
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"reviews/owner", `{"owner":"source","epoch":2,"routes":["r"]}`, 409, "old_epoch"},
		{"reviews/owner", `{"owner":"source","epoch":3,"routes":["r"]}`, 409, "old_epoch"},
		{"reviews/owner", `{"owner":"source","epoch":2,"routes":["r"],"dry_run":true}`, 409, "old_epoch"},
		{"reviews/owner", `{"owner":"source","epoch":4,"routes":["free"]}`, 409, "not_in_split"},
		{"orders/owner", `{"owner":"source","epoch":4,"routes":["r"]}`, 409, "not_in_split"},
		{"reviews/owner", `{"owner":"source","epoch":4,"routes":["x"]}`, 404, "not_found"},
		{"reviews/owner", `{"owner":"nobody","epoch":4,"routes":["r"]}`, 422, "invalid"},
		{"reviews/owner", `{"owner":"source","epoch":0,"routes":["r"]}`, 422, "invalid"},
		{"reviews/owner", `{"owner":"source","epoch":-4,"routes":["r"]}`, 422, "invalid"},
		{"reviews/owner", `{"owner":"source","epoch":1e40,"routes":["r"]}`, 400, "bad_json"},
		{"reviews/owner", `{"owner":"source","epoch":4,"routes":"r"}`, 400, "bad_json"},
		{"reviews/owner", `{"owner":"source","epoch":4,"owner":"target"}`, 400, "bad_json"},
		{"%20x/owner", `{"owner":"source","epoch":4,"routes":["r"]}`, 422, "invalid"},
		{"reviews", `{"phase":""}`, 422, "invalid"},
		{"reviews", `{"phase":"` + strings.Repeat("x", 65) + `"}`, 422, "invalid"},
		{"reviews", `{"phase":"x","more":1}`, 400, "bad_json"},
		{"reviews", `{"phase":"x","refused_source":-1}`, 422, "invalid"},
	} {
		got := r.order("PUT", "/-/splits/"+c.path, c.body)
		if got.StatusCode != c.status || !strings.Contains(got.text, fmt.Sprintf(`"code": %q`, c.code)) {
			t.Errorf("%s %s: %s %s; want %d %s", c.path, c.body, got.Status, got.text, c.status, c.code)
		}
	}
	if r.file() != file {
		t.Error("a refused order changed the file")
	}
	if records, err := splits.Read(r.path); err != nil || len(records) != 1 || records["reviews"].Epoch != 3 || records["reviews"].Pending {
		t.Errorf("the record is %+v, %v", records, err)
	}
	if got := r.order("PUT", "/-/splits/reviews/owner", `{"owner":"source","epoch":4,"routes":["r"],"dry_run":true}`); got.StatusCode != 200 || !strings.Contains(got.text, `"to": "monolith"`) || r.file() != file {
		t.Errorf("a rehearsal: %s %s", got.Status, got.text)
	}
	history := r.admin("GET", "/audit").text
	if !strings.Contains(history, `"reason": "split reviews epoch 3"`) || strings.Contains(history, `"forced"`) {
		t.Errorf("the audit log says %s", history)
	}
	if got := r.admin("GET", "/-/splits/nobody"); got.StatusCode != 404 {
		t.Errorf("an unknown split: %s", got.Status)
	}
}

func TestHoldsThatAreRefused(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, split(m.URL, s.URL, "shadow"))
	r.hold("")
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "", `{"id":"x","holder":"y","routes":["wait"]}`, 409, "held"},
		{"POST", "", `{"id":"x","holder":"y","routes":["nobody"]}`, 404, "not_found"},
		{"POST", "", `{"id":"x","holder":"y","routes":[]}`, 422, "invalid"},
		{"POST", "", `{"id":"x","holder":"y","routes":["free"],"ttl":"1h"}`, 422, "invalid"},
		{"POST", "", `{"id":"x","holder":"y","routes":["free"],"ttl":5}`, 400, "bad_json"},
		{"POST", "", `{"id":"x","holder":"y","routes":["free"],"ttl":"soon"}`, 400, "bad_json"},
		{"POST", "", `{"id":"../x","holder":"y","routes":["free"]}`, 422, "invalid"},
		{"POST", "", `{"id":"x","routes":["free"]}`, 422, "invalid"},
		{"POST", "", ``, 400, "bad_json"},
		{"PUT", "/nobody", ``, 404, "no_hold"},
		{"PUT", "/reviews", `{"ttl":"-1s"}`, 422, "invalid"},
		{"PUT", "/reviews", `{"claim":7}`, 404, "no_hold"},
		{"DELETE", "/nobody", ``, 404, "no_hold"},
		{"POST", "/nobody/drain", ``, 404, "no_hold"},
		{"POST", "/reviews/drain", `{"wait":"1h"}`, 422, "invalid"},
		{"GET", "/nobody", ``, 404, "no_hold"},
	} {
		got := r.order(c.method, "/-/holds"+c.path, c.body)
		if got.StatusCode != c.status || !strings.Contains(got.text, fmt.Sprintf(`"code": %q`, c.code)) {
			t.Errorf("%s %s %s: %s %s; want %d %s", c.method, c.path, c.body, got.Status, got.text, c.status, c.code)
		}
	}
	if got := r.order("POST", "/-/holds", `{"id":"x","holder":"y","routes":["free"]}`, "Content-Type", "text/plain"); got.StatusCode != 415 {
		t.Errorf("a form: %s", got.Status)
	}
	if got := r.order("POST", "/-/holds", `{"id":"x","holder":"y","routes":["free"]}`, "Origin", "http://evil.example"); got.StatusCode != 403 {
		t.Errorf("another site: %s", got.Status)
	}
	if len(r.status().Holds) != 1 {
		t.Error("a refused hold is there")
	}
	r.release()
}

// The guard of the admin address and of the command line goes by what the proxy was told.
func TestGuardOfASplit(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, "guard: off\n"+split(m.URL, s.URL, "shadow"))
	refuse := func(stage, remedy string) {
		t.Helper()
		if got := r.order("PATCH", "/routes/r", fmt.Sprintf(`{"stage":%q,"reason":"by hand"}`, stage)); got.StatusCode != 409 || !strings.Contains(got.text, remedy) {
			t.Errorf("to %s: %s %s", stage, got.Status, got.text)
		}
	}
	refuse("live", "strangler split cutover reviews")
	if got := r.order("PATCH", "/routes/r", `{"stage":"canary 100%"}`); got.StatusCode != 200 {
		t.Fatal(got.text)
	}
	(<-r.begin(r.client, "GET", "/s/x", "")).want(t, "s")
	(<-r.begin(r.client, "POST", "/s/x", "")).want(t, "monolith")
	if got := r.flip("target", 1); got.StatusCode != 200 {
		t.Fatal(got.text)
	}
	refuse("monolith", "strangler split rollback reviews")
	refuse("shadow", "strangler split rollback reviews")
	if got := r.order("POST", "/routes/r/rollback", ""); got.StatusCode != 409 {
		t.Errorf("a rollback of the route: %s %s", got.Status, got.text)
	}
	s.Close() // reads may fall back, writes must not: the monolith's tables are sealed
	(<-r.begin(r.client, "GET", "/s/x", "")).want(t, "monolith")
	if got := <-r.begin(r.client, "POST", "/s/x", ""); got.status != 502 || m.hits.Load() != 2 {
		t.Errorf("a write while the service is down: %+v", got)
	}
	if got := r.order("PATCH", "/routes/r", `{"stage":"monolith","force":true,"reason":"the service burns"}`); got.StatusCode != 200 || !strings.Contains(got.text, "overruled") {
		t.Errorf("by force: %s %s", got.Status, got.text)
	}
	if history := r.admin("GET", "/audit").text; !strings.Contains(history, `"writes"`) || !strings.Contains(history, "the service burns") {
		t.Errorf("the audit log says %s", history)
	}
}

// What a proxy was told and could not do is done when the file is good again.
func TestOwnerIsFollowedOnceTheFileIsGood(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	r := start(t, split(m.URL, s.URL, "shadow"))
	good := r.file()
	if err := os.WriteFile(r.path, []byte(good+"nothing: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := r.flip("target", 1); got.StatusCode != 409 || !strings.Contains(got.text, "bad_file") {
		t.Fatalf("%s %s", got.Status, got.text)
	}
	if splits := r.status().Splits; len(splits) != 1 || !splits[0].Pending || splits[0].Owner != "target" {
		t.Fatalf("the status says %+v", splits)
	}
	if err := os.WriteFile(r.path, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, "the flip", func() bool { return r.status().Routes[0].Stage == "live" && !r.status().Splits[0].Pending })
	(<-r.begin(r.client, "POST", "/s/x", "x")).want(t, "s")
}

func TestProxiesOnOneFileFollowEachOther(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	first := start(t, split(m.URL, s.URL, "live"))
	second := startAt(t, first.path)
	// The route is live already, so nothing but the record says who owns the tables.
	if got := first.flip("target", 1); got.StatusCode != 200 || strings.Contains(got.text, `"changed": true`) {
		t.Fatal(got.text)
	}
	await(t, "the other proxy", func() bool {
		cfg := second.proxy.Configuration()
		return len(cfg.Objections(cfg.Route("r"), cfg.Route("wait").Stage, second.status().Evidence("r"))) > 0
	})
	if got := second.flip("target", 1); got.StatusCode != 200 {
		t.Errorf("the second one is told: %s", got.text)
	}
	if got := second.flip("source", 1); got.StatusCode != 409 {
		t.Errorf("%s", got.text)
	}
}

func TestStopWaitsForHolds(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, client func() *http.Client) {
		m, s := newEcho(t, "monolith"), newEcho(t, "s")
		r := start(t, split(m.URL, s.URL, "shadow"))
		r.hold("")
		waiting := r.begin(client(), "POST", "/s/x", "x")
		r.awaitParked(1)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			r.stop()
		}()
		await(t, "the stop", func() bool { return r.status().Draining })
		r.release()
		(<-waiting).want(t, "monolith")
		<-stopped
	})
}

func TestStopBreaksOffWhatIsHeldForTooLong(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, client func() *http.Client) {
		m, s := newEcho(t, "monolith"), newEcho(t, "s")
		r := start(t, split(m.URL, s.URL, "shadow"), func(o *strangler.Options) { o.DrainLimit = 300 * time.Millisecond })
		r.hold("")
		waiting := r.begin(client(), "POST", "/s/x", "x")
		r.awaitParked(1)
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the stop took %s", took)
		}
		if got := <-waiting; got.err == nil || m.hits.Load() != 0 {
			t.Errorf("%+v; want an error, and nobody asked", got)
		}
	})
}

func TestOpenSocketsAreToldOfAndNotWaitedFor(t *testing.T) {
	t.Parallel()
	m := newSocketServer(t, "monolith")
	r := start(t, split(m.URL, m.URL, "shadow"))
	r.socket("/s/socket")
	r.hold("")
	got := r.order("POST", "/-/holds/reviews/drain", `{"wait":"10s"}`)
	if !strings.Contains(got.text, `"drained": true`) || !strings.Contains(got.text, `"upgraded": 1`) {
		t.Errorf("%s", got.text)
	}
}

// proxyAt starts a proxy in a process of its own, on a file that names its addresses.
func proxyAt(t *testing.T, path string) (p *process, admin string) {
	t.Helper()
	p = startProcess(t, path, "")
	if p.says == "" {
		t.Fatalf("the proxy did not start: %v", <-p.ended)
	}
	_, admin = addressesOf(t, path)
	return p, admin
}

// addressesOf are the urls that a file names.
func addressesOf(t *testing.T, path string) (public, admin string) {
	t.Helper()
	cfg, _, err := config.Parse(path, must(os.ReadFile(path)), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + cfg.Listen, "http://" + cfg.Admin
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

// ask sends JSON to an address and returns the status and the text of the answer.
func ask(t *testing.T, method, url, body string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

// A proxy is killed while it holds: its clients get no answer, nobody was asked, and the
// next proxy follows the record.
func TestProxyIsKilledWhileItHolds(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	path := splitFile(t, m.URL, s.URL)
	p, address := proxyAt(t, path)
	if status, text, err := ask(t, "POST", address+"/-/holds", fmt.Sprintf(holdOrder, "")); err != nil || status != 200 {
		t.Fatal(status, text, err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, _, err := ask(t, "POST", "http://"+p.says+"/s/x", "{}")
		waiting <- err
	}()
	await(t, "the parked request", func() bool {
		_, text, _ := ask(t, "GET", address+"/status", "")
		var st admin.Status
		return json.Unmarshal([]byte(text), &st) == nil && len(st.Holds) == 1 && st.Holds[0].Parked == 1
	})
	_ = p.Process.Kill()
	if err := <-waiting; err == nil {
		t.Error("the client of a killed proxy got an answer")
	}
	<-p.ended
	if m.hits.Load()+s.hits.Load() != 0 {
		t.Error("a parked request reached somebody")
	}
	// The proxy dies between the record and the edit of the file.
	if _, err := splits.Accept(t.Context(), path, "reviews", splits.Record{Owner: splits.Target, Epoch: 1, Routes: []string{"r"}}); err != nil {
		t.Fatal(err)
	}
	p, address = proxyAt(t, path)
	if status, text, err := ask(t, "POST", "http://"+p.says+"/s/x", "{}"); err != nil || status != 200 || !strings.Contains(text, `"Server":"s"`) {
		t.Errorf("the first request after the start: %d %s %v", status, text, err)
	}
	if status, text, err := ask(t, "DELETE", address+"/-/holds/reviews", ""); err != nil || status != 404 {
		t.Errorf("the old hold: %d %s %v", status, text, err)
	}
	if status, text, err := ask(t, "PUT", address+"/-/splits/reviews/owner", `{"owner":"source","epoch":1,"routes":["r"]}`); err != nil || status != 409 {
		t.Errorf("an old epoch: %d %s %v", status, text, err)
	}
}

// Another process takes the sockets over while requests are parked. The old one lets them
// go to whoever owns the tables by then, though it does not watch the file any more.
func TestHandoverWithinAHold(t *testing.T) {
	t.Parallel()
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	path := splitFile(t, m.URL, s.URL)
	socket := filepath.Join(t.TempDir(), "s")
	old := startProcess(t, path, socket)
	_, address := addressesOf(t, path)
	order := strings.Replace(fmt.Sprintf(holdOrder, ""), `"20s"`, `"900ms"`, 1)
	if status, text, err := ask(t, "POST", address+"/-/holds", order); err != nil || status != 200 {
		t.Fatal(status, text, err)
	}
	waiting := make(chan string, 1)
	go func() {
		_, text, err := ask(t, "POST", "http://"+old.says+"/s/x", "{}")
		waiting <- fmt.Sprint(text, err)
	}()
	await(t, "the parked request", func() bool {
		_, text, _ := ask(t, "GET", address+"/-/holds", "")
		return strings.Contains(text, `"parked": 1`)
	})
	startProcess(t, path, socket)
	await(t, "the successor", func() bool { // which knows of no hold
		_, text, err := ask(t, "GET", address+"/-/holds", "")
		return err == nil && !strings.Contains(text, `"id"`)
	})
	if status, text, err := ask(t, "PUT", address+"/-/splits/reviews/owner", `{"owner":"target","epoch":1,"routes":["r"]}`); err != nil || status != 200 {
		t.Fatal(status, text, err)
	}
	if got := <-waiting; !strings.Contains(got, `"Server":"s"`) {
		t.Errorf("the parked request got %s", got)
	}
	<-old.ended
}

// splitFile is a file of split with addresses that stay.
func splitFile(t *testing.T, monolith, service string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	at := func() string { return strings.TrimPrefix(freeURL(t), "http://") }
	text := fmt.Sprintf("version: 1\nlisten: %s\nadmin: { listen: %s }\n", at(), at()) + split(monolith, service, "monolith")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A proxy is killed anywhere in its flips. The next one leads to the owner of the last
// epoch that was written down, which is the last one that was acknowledged or the one
// after it.
func TestProxyIsKilledAnywhereInAFlip(t *testing.T) {
	t.Parallel()
	rounds := 8
	if os.Getenv("SOAK") != "" {
		rounds = 200
	}
	m, s := newEcho(t, "monolith"), newEcho(t, "s")
	path := splitFile(t, m.URL, s.URL)
	epoch, acknowledged := 0, 0
	for round := range rounds {
		p, address := proxyAt(t, path)
		records, err := splits.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		have := int(records["reviews"].Epoch)
		if have < acknowledged || have > epoch {
			t.Fatalf("round %d: epoch %d is written down, %d was acknowledged, %d was sent last", round, have, acknowledged, epoch)
		}
		want := []string{"monolith", "s"}[have%2]
		if status, text, err := ask(t, "POST", "http://"+p.says+"/s/x", "{}"); err != nil || status != 200 || !strings.Contains(text, `"Server":"`+want+`"`) {
			t.Fatalf("round %d: after epoch %d: %d %s %v", round, have, status, text, err)
		}
		time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { _ = p.Process.Kill() })
		for epoch = have + 1; ; epoch++ {
			owner := []string{"source", "target"}[epoch%2]
			status, text, err := ask(t, "PUT", address+"/-/splits/reviews/owner", fmt.Sprintf(`{"owner":%q,"epoch":%d,"routes":["r"]}`, owner, epoch))
			if err != nil {
				break
			}
			if status != 200 {
				t.Fatalf("round %d: %d %s", round, status, text)
			}
			acknowledged = epoch
		}
		if err := <-p.ended; errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
	}
	t.Logf("%d flips, %d kills", epoch, rounds)
}
