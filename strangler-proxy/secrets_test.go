package strangler_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// Whatever secret a client, the file of tokens or the environment holds, and whatever
// becomes of the request: nothing that the proxy says shows it.
func TestNoSecretIsSaid(t *testing.T) {
	t.Parallel()
	const (
		token, force   = "token-0123456789-SECRET", "force-0123456789-SECRET"
		bearer, cookie = "Bearer client-SECRET", "session=cookie-SECRET"
	)
	m, s := newCopied(t, says(`{"a":1}`)), newCopied(t, says(`{"a":2}`))
	folder := t.TempDir()
	path := filepath.Join(folder, "strangler.yaml")
	config := "version: 1\nlisten: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0, token_file: tokens }\nmonolith: " + m.URL + "\ntracing: {}\nforce: { secret: \"${FORCE}\" }\n" +
		"services: { s: \"" + s.URL + "\", dead: \"" + deadURL(t) + "\" }\nroutes:\n  r: { match: /s/**, to: s, stage: shadow }\n  d: { match: /d/**, to: dead, stage: done }\n"
	for name, text := range map[string]string{path: config, filepath.Join(folder, "tokens"): "ci " + token + "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := startAt(t, path, func(o *strangler.Options) {
		o.LookupEnv = func(name string) (string, bool) { return force, name == "FORCE" }
	})
	var said strings.Builder
	for _, target := range []string{"GET /s/x?password=query-SECRET", "GET /d/x?api_key=query-SECRET", "POST /d/x", "GET /s/..%2fd/x", "GET /other?token=query-SECRET"} {
		method, target, _ := strings.Cut(target, " ")
		got := r.do(method, target, nil, "Authorization", bearer, "Cookie", cookie+"; strangler_force=monolith:"+force, "X-Strangler-Force", "monolith:"+force, "X-Strangler-Token", token, "Proxy-Authorization", bearer)
		_ = got.Header.Write(&said)
		said.WriteString(got.text)
	}
	own := []string{"Authorization", "Bearer " + token}
	await(t, "a mismatch", func() bool { return strings.Contains(r.admin("GET", "/routes/r/mismatches", own...).text, "curl") })
	for _, page := range []string{"/", "/status", "/metrics", "/routes", "/routes/r", "/routes/r/mismatches", "/audit", "/traces", "/discover", "/nothing"} {
		said.WriteString(r.admin("GET", page, own...).text)
		said.WriteString(r.admin("GET", page, "Authorization", "Bearer wrong-SECRET").text)
	}
	if err := os.WriteFile(path, []byte(config+"nonsense: [\n"), 0o600); err != nil { // and what is said of a bad file
		t.Fatal(err)
	}
	await(t, "the rejection", func() bool { return r.status().Config.State == "rejected" })
	said.WriteString(r.admin("GET", "/status", own...).text)
	said.WriteString(r.log.String())
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "SECRET") {
			t.Errorf("%.300s", line)
		}
	}
	if said.Len() < 5000 || !strings.Contains(said.String(), `"msg":"request"`) {
		t.Errorf("only %d bytes were said", said.Len())
	}
}
