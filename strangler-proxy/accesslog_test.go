package strangler_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
)

// The access log goes where the file says, also after the file says something else, and
// every request that was answered is in it when the proxy has stopped.
func TestAccessLogFollowsTheFile(t *testing.T) {
	t.Parallel()
	m := newEcho(t, "monolith")
	first, second, moved := filepath.Join(t.TempDir(), "a.log"), filepath.Join(t.TempDir(), "b.log"), filepath.Join(t.TempDir(), "c.log")
	config := func(log string) string { return "monolith: " + m.URL + "\nlog: " + log + "\n" }
	r := start(t, config("{ access: json, path: "+first+", query: true }"))
	r.do("GET", "/one?token=hush&a=b", nil)
	r.write(config("{ access: text, path: " + second + " }"))
	await(t, "the second configuration", func() bool { return r.status().Config.Version == 2 })
	r.do("GET", "/two", nil)
	await(t, "the second line", func() bool { return strings.Contains(content(t, second), " GET /two 200 ") })
	if err := os.Rename(second, moved); err != nil {
		t.Fatal(err)
	}
	if err := r.proxy.ReopenLogs(); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		r.do("GET", "/three", nil)
	}
	// A file that cannot be opened changes nothing but this.
	r.write(config("{ access: json, path: " + t.TempDir() + " }"))
	await(t, "the third configuration", func() bool { return r.status().Config.Version == 3 })
	await(t, "the complaint", func() bool { return strings.Contains(r.log.String(), "the access log stays where it was") })
	r.do("GET", "/four", nil)
	r.stop()
	if got := content(t, first); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"query":"token=(secret)&a=b"`) || strings.Contains(got, "hush") {
		t.Errorf("the first: %s", got)
	}
	if got := content(t, moved); strings.Count(got, "\n") != 1 {
		t.Errorf("moved away: %s", got)
	}
	if got := content(t, second); strings.Count(got, "GET /three") != 50 || strings.Count(got, "GET /four") != 1 {
		t.Errorf("the second: %s", got)
	}
}

func TestAccessLogThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	if err := os.WriteFile(path, []byte(header+"monolith: http://127.0.0.1:1\nlog: { path: no/such/folder/a.log }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := strangler.New(t.Context(), strangler.Options{ConfigPath: path, AccessLog: true})
	if err == nil || !strings.Contains(err.Error(), "no/such/folder/a.log") {
		t.Errorf("got %v", err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	return string(text)
}
