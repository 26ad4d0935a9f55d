package hostile_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// What everybody on the machine can see of the running program holds no secret, and its
// environment, which whatever it started would get, none but that it was given there.
func TestNoSecretIsInTheListOfProcesses(t *testing.T) {
	t.Setenv("HOSTILE_FORCE", "force-0123456789-SECRET")
	m := httptest.NewServer(http.HandlerFunc(echoLength))
	t.Cleanup(m.Close)
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("ci token-0123456789-SECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, fmt.Sprintf("version: 1\nlisten: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0, token_file: %q }\nmonolith: %s\nforce: { secret: \"${HOSTILE_FORCE}\" }\n", tokens, m.URL))
	if err := p.get("/"); err != nil {
		t.Error(err)
	}
	for name, may := range map[string]int{"cmdline": 0, "comm": 0, "environ": 1} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.pid, name))
		if err != nil || len(text) == 0 || bytes.Count(text, []byte("9-SECRET")) != may {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.pid))
	if err != nil || len(threads) == 0 {
		t.Fatal(threads, err)
	}
	for _, thread := range threads {
		if children, err := os.ReadFile(thread); err == nil && len(children) > 0 {
			t.Errorf("it has started %s", children)
		}
	}
}
