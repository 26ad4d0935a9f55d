package strangler_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const markToken = "0123456789abcdef-marks"

// marking is a proxy whose route's service cannot be reached, so that every mark has
// something to say. more is about marks, tokens and trust.
func marking(t *testing.T, monolith, more string) *rig {
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	tokens := filepath.Join(filepath.Dir(path), "tokens")
	if err := os.WriteFile(tokens, []byte("somebody "+markToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	top := "version: 1\nlisten: 127.0.0.1:0\n"
	if !strings.Contains(more, "admin:") {
		top += "admin: { listen: 127.0.0.1:0 }\n"
	}
	text := top + more + fmt.Sprintf("monolith: %s\nservices: { s: %s }\nroutes:\n  r: { match: /s/**, to: s, stage: live, shadow: off, data: none }\n", monolith, deadURL(t))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return startAt(t, path)
}

// TestMarks: the public learns nothing about the migration; whoever the admin address
// would let in does, and what admits them reaches no application.
func TestMarks(t *testing.T) {
	t.Parallel()
	const tokens = "admin: { listen: 127.0.0.1:0, token_file: tokens }\n"
	shown := []string{"X-Strangler-Token", markToken}
	bearer := []string{"Authorization", "Bearer " + markToken}
	for name, c := range map[string]struct {
		more   string
		header []string
		marked bool
	}{
		"this machine":                         {"", nil, true},
		"this machine, with a token":           {"", shown, true},
		"through an unknown proxy":             {"", []string{"X-Forwarded-For", "127.0.0.1"}, false},
		"through an unknown proxy, newer":      {"", []string{"Forwarded", "for=127.0.0.1"}, false},
		"through a trusted proxy, from afar":   {"trusted_proxies: [127.0.0.1]\n", []string{"X-Forwarded-For", "192.0.2.7"}, false},
		"through a trusted proxy, from here":   {"trusted_proxies: [127.0.0.1]\n", []string{"X-Forwarded-For", "127.0.0.1"}, true},
		"tokens are asked for":                 {tokens, nil, false},
		"the token":                            {tokens, shown, true},
		"the token as for the admin address":   {tokens, bearer, true},
		"another token":                        {tokens, []string{"X-Strangler-Token", markToken + "x"}, false},
		"an application's own authorization":   {tokens, []string{"Authorization", "Bearer " + markToken + "x"}, false},
		"everybody":                            {tokens + "marks: true\n", nil, true},
		"everybody, with the token as a visa":  {tokens + "marks: true\n", bearer, true},
		"nobody":                               {"marks: false\n", nil, false},
		"nobody, not even with a token":        {tokens + "marks: false\n", shown, false},
		"in so many words":                     {"marks: auto\n", nil, true},
		"everybody, through an unknown proxy":  {"marks: true\n", []string{"X-Forwarded-For", "192.0.2.7"}, true},
		"two lines, one of which is the token": {tokens, append([]string{"X-Strangler-Token", "wrong"}, shown...), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := marking(t, newEcho(t, "monolith").URL, c.more)
			for _, method := range []string{"GET", "POST"} {
				var body io.Reader
				if method == "POST" {
					body = strings.NewReader("the body")
				}
				got := r.do(method, "/s/x", body, c.header...)
				want := map[string]string{"X-Strangler-Served-By": "", "X-Strangler-Route": "", "X-Strangler-Fallback": ""}
				if c.marked {
					want = map[string]string{"X-Strangler-Served-By": "monolith", "X-Strangler-Route": "r", "X-Strangler-Fallback": "connect_refused"}
				}
				for name, value := range want {
					if v := got.Header.Get(name); v != value {
						t.Errorf("%s: %s is %q, want %q", method, name, v, value)
					}
				}
				if got.Header.Get("X-Request-Id") == "" {
					t.Error("the request id is everybody's")
				}
				if text := fmt.Sprint(got.saw.Header); strings.Contains(text, markToken+"]") {
					t.Errorf("the monolith saw the token: %s", text)
				}
				if own := strings.HasSuffix(strings.Join(c.header, ""), "x") && c.header[0] == "Authorization"; own && got.saw.Header.Get("Authorization") != c.header[1] {
					t.Errorf("an application's own authorization became %q", got.saw.Header.Get("Authorization"))
				}
			}
		})
	}
}

// What the proxy says in its own name bears the same marks.
func TestMarksOfOwnAnswers(t *testing.T) {
	t.Parallel()
	for more, marked := range map[string]bool{"": true, "marks: false\n": false, "admin: { listen: 127.0.0.1:0, token_file: tokens }\n": false} {
		r := marking(t, deadURL(t), more)
		for _, request := range []string{"GET /a/..%2fs/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "nonsense\r\n\r\n"} {
			if got := r.send(request); strings.Contains(got, "X-Strangler-Served-By: proxy") != marked || !strings.Contains(got, "X-Request-Id: ") {
				t.Errorf("%q, %q: %.300q", more, request, got)
			}
		}
	}
}

// TestTokenInASlowRequest: the head is read anew once the body is complete, and the
// token stays out of it.
func TestTokenInASlowRequest(t *testing.T) {
	t.Parallel()
	r := marking(t, newEcho(t, "monolith").URL, "admin: { listen: 127.0.0.1:0, token_file: tokens }\n")
	conn, err := net.Dial("tcp", r.proxy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := strings.Repeat("x", 20<<10) // more than what a connection begins with
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", markToken, len(body))
	await(t, "the head", func() bool {
		return strings.Contains(r.admin("GET", "/metrics", "Authorization", "Bearer "+markToken).text, "strangler_requests_in_flight 1")
	})
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	if text := string(answer); !strings.Contains(text, "X-Strangler-Served-By: monolith") || strings.Contains(text, markToken) || !strings.Contains(text, sum(body)) {
		t.Errorf("%.900s", text)
	}
}
