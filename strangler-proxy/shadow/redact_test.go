package shadow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// mismatchOf runs one request whose answers differ, and returns what is kept of it.
func mismatchOf(t interface{ Fatal(...any) }, head, body string, monolith, service shadow.Answer, secrets ...string) shadow.MismatchRecord {
	config := oneRoute(shadow.Settings{Percent: 100, MaxBody: 64 << 10, Timeout: 1 << 40, Keep: 3, Sandbox: true}, shadow.Limits{InFlight: 1, Queue: 5})
	config.Routes[0].Rules.Secrets = secrets
	config.URLs = map[string]string{"monolith": "http://127.0.0.1:9000", "s": "http://127.0.0.1:9001"}
	s := newShadow(t, func(context.Context, shadow.Copy) (shadow.Answer, error) { return service, nil }, config)
	method, _, _ := strings.Cut(head, " ")
	s.Begin(shadow.Request{Route: "r", ID: "id-7", Method: method, To: "s"}).End(shadow.Primary{Head: []byte(head), Body: []byte(body), Answer: monolith})
	for range 10_000 { // the copy is not dropped, so it comes soon
		if st, _ := s.Stats("r"); settled(st) {
			break
		}
		<-tick()
	}
	s.Close()
	m, _ := s.Mismatches("r", 0)
	if len(m.Mismatches) != 1 {
		t.Fatal(fmt.Sprintf("%d mismatches are kept: %+v", len(m.Mismatches), m.Stats))
	}
	return m.Mismatches[0]
}

// Wherever a secret stands, and wherever it is repeated, it is not in what is kept.
func TestNoSecretIsKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[A-Za-z0-9!#%&'*+./=?@^~-]{8,40}`).Draw(t, "secret")
		name := rapid.SampledFrom([]string{"password", "api_key", "accessToken", "pin_code", "sid"}).Draw(t, "name")
		where := rapid.SampledFrom([]string{"authorization", "basic", "cookie", "header", "query", "form", "json", "answer", "set-cookie", "nested"}).Draw(t, "where")
		target, fields, body := "/a", []string{"Host: h"}, ""
		monolith, service := ok(`{"n":1}`), ok(`{"n":2}`)
		quoted, _ := json.Marshal(secret)
		switch where {
		case "authorization":
			fields = append(fields, "Authorization: Bearer "+secret)
		case "basic":
			fields = append(fields, "PROXY-AUTHORIZATION: "+secret)
		case "cookie":
			fields = append(fields, "Cookie: theme=dark; anything="+secret)
		case "header":
			fields = append(fields, name+": "+secret)
		case "query":
			target += "?x=1&user%5B" + name + "%5D=" + url.QueryEscape(secret)
		case "form":
			fields = append(fields, "Content-Type: application/x-www-form-urlencoded")
			body = "x=1&" + name + "=" + url.QueryEscape(secret)
		case "json":
			fields = append(fields, "Content-Type: application/json")
			body = fmt.Sprintf(`{"x":1,%q:%s}`, name, quoted)
		case "nested":
			monolith = ok(fmt.Sprintf(`{"list":[{"%s":{"v":[%s]}}]}`, name, quoted))
		case "answer":
			monolith = ok(fmt.Sprintf(`{"n":1,%q:%s}`, name, quoted))
		case "set-cookie":
			monolith.Fields = lines(http.Header{"Content-Type": {"application/json"}, "Set-Cookie": {"q=" + secret + "; Path=/"}})
		}
		if rapid.Bool().Draw(t, "repeated") { // in a place that has no telling name
			far := strings.Repeat("x", rapid.IntRange(0, 210).Draw(t, "before"))
			echo, _ := json.Marshal(far + secret + "!")
			service = ok(fmt.Sprintf(`{"n":2,"echo":%s}`, echo))
			if rapid.Bool().Draw(t, "as text") {
				service.Fields = lines(http.Header{"Content-Type": {"text/plain"}})
				monolith.Fields = bytes.Replace(monolith.Fields, []byte("application/json"), []byte("text/plain"), 1)
				monolith.Body = append([]byte("before\n"), monolith.Body...)
			}
		}
		head := "POST " + target + " HTTP/1.1\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
		record := mismatchOf(t, head, body, monolith, service, "pin_code")
		for _, text := range textsOf(record) {
			for _, form := range []string{secret, url.QueryEscape(secret), string(quoted[1 : len(quoted)-1])} {
				if strings.Contains(text, form) {
					t.Fatalf("%s: %q is in %q", where, secret, text)
				}
				if n := len(form); n > 12 && strings.Contains(text, form[:10]) {
					t.Fatalf("%s: the beginning of %q is in %q", where, secret, text)
				}
			}
		}
	})
}

func textsOf(m shadow.MismatchRecord) []string {
	texts := append([]string{m.Target, m.Body, m.Diff, m.Monolith.Curl, m.Service.Curl}, m.Header...)
	for _, f := range m.Findings {
		texts = append(texts, f.Pointer, f.Class, f.Before, f.After, f.Diff, f.Explanation)
	}
	return texts
}

// What is no secret can be read, and the command lines do what the request did.
func TestMismatchCanBeRead(t *testing.T) {
	t.Parallel()
	head := "PUT /a/it's?q=%20x&token=hush-hush HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\nX-Empty:\r\nContent-Length: 30\r\nCookie: theme=dark; sid=hush-hush\r\n\r\n"
	m := mismatchOf(t, head, `{"name":"O'Neil","pin":"1234567"}`, ok(`{"price":10,"tags":["a","b"]}`), ok(`{"price":12,"tags":["a"]}`))
	if m.Target != "/a/it's?q=%20x&token=(secret)" || m.Body != `{"name":"O'Neil","pin":"(secret)"}` || m.RequestID != "id-7" || m.Kind != "value" || m.Answered != "monolith" {
		t.Errorf("%+v", m)
	}
	if want := "--- monolith\n+++ service\n@@ body /price @@ value: another value\n- 10\n+ 12\n@@ body /tags/1 @@ missing: AFTER lacks it\n- \"b\"\n"; m.Diff != want {
		t.Errorf("diff:\n%s\nwant:\n%s", m.Diff, want)
	}
	out, err := exec.Command("sh", "-c", strings.Replace(m.Service.Curl, "curl", `printf '<%s>'`, 1)).Output()
	want := `<-isS><--path-as-is><-g><-X><PUT><-H><Host: shop.example><-H><Content-Type: application/json><-H><X-Empty;><-H><Cookie: theme=(secret); sid=(secret)>` +
		`<--data-binary><{"name":"O'Neil","pin":"(secret)"}><http://127.0.0.1:9001/a/it's?q=%20x&token=(secret)>`
	if err != nil || string(out) != want {
		t.Errorf("%v\ncurl:\n%s\nwant:\n%s", err, out, want)
	}
}

// Of a body without names only the length is kept.
func TestOpaqueBodyIsNotKept(t *testing.T) {
	t.Parallel()
	m := mismatchOf(t, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n", "--x\r\nhush", ok(`1`), ok(`2`))
	if m.Body != "(9 bytes)" || strings.Contains(m.Service.Curl, "--data") && strings.Contains(m.Service.Curl, "hush") {
		t.Errorf("%+v", m)
	}
}
