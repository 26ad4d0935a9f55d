package hostile_test

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stranglerfig/toolkit/internal/testcert"
)

// h2specParts are all that h2spec knows, in parts that wait at the same time.
var h2specParts = strings.Fields("generic/1 generic/2 generic/3 generic/4 generic/5 http2/3 http2/4 http2/5.1 http2/5.3 http2/5.4 http2/5.5 " +
	"http2/6.1 http2/6.2 http2/6.3 http2/6.4 http2/6.5 http2/6.7 http2/6.8 http2/6.9 http2/6.10 http2/7 http2/8.1 http2/8.2 hpack")

// h2specCases is their number.
const h2specCases = 146

// h2specKnown are the cases in which net/http's server, which speaks HTTP/2 for us, does
// something else, each with the reason why that may be so.
var h2specKnown = map[string]string{
	"http2/3.5 Sends invalid connection preface":                                                                   "without TLS it may be HTTP/1, and gets an answer of HTTP/1 before the connection ends",
	"http2/6.5.3 Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE":                                            "net/http takes settings that come twice in a frame for an attack, and ends the connection",
	"http2/8.1.2.2 Sends a HEADERS frame that contains the connection-specific header field":                       "net/http leaves the field out; what goes to an upstream has none that the client says",
	"http2/8.1.2.2 Sends a HEADERS frame that contains the TE header field with any value other than \"trailers\"": "net/http leaves it to the handler, and the proxy drops the field",
}

// h2spec, by which servers of HTTP/2 are measured, finds nothing at our doors that it does
// not find at a bare server of net/http, and there nothing that is not known.
func TestH2spec(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=tools/go.mod", "-n", "h2spec") // builds it, and says where it is
	cmd.Dir = "../.."
	program, err := cmd.Output()
	if err != nil {
		t.Fatalf("h2spec cannot be built: %v", err)
	}
	tool := strings.TrimSpace(string(program))
	m := httptest.NewServer(http.HandlerFunc(echoLength))
	t.Cleanup(m.Close)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	testcert.New(t).Write(t, cert, key, "localhost")
	doors := map[string]struct{ address, flag string }{
		"h2c":      {start(t, "monolith: "+m.URL+"\nh2c: true\n").address, "--tls=false"},
		"tls":      {start(t, fmt.Sprintf("monolith: %s\ntls: { cert: %s, key: %s }\n", m.URL, cert, key)).address, "--tls"},
		"net/http": {bareHTTP2(t, http.HandlerFunc(echoLength)), "--tls=false"},
	}
	failed := map[string]map[string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for name, door := range doors {
		all.Go(func() {
			f := h2spec(t, tool, door.address, door.flag)
			mu.Lock()
			defer mu.Unlock()
			failed[name] = f
		})
	}
	all.Wait()
	for name, f := range failed {
		t.Logf("%s: %d of %d cases fail", name, len(f), h2specCases)
		for what, how := range f {
			if _, they := failed["net/http"][what]; h2specKnown[what] == "" && name != "net/http" || !they {
				t.Errorf("%s: %s: %s", name, what, how)
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(h2specKnown)) {
		if _, still := failed["h2c"][what]; !still {
			t.Errorf("%s: passes now, so it need not be known", what)
		}
	}
}

// h2spec tries a door and says what failed, and how.
func h2spec(t *testing.T, tool, address, flag string) (failed map[string]string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Error(err)
		return nil
	}
	dir := t.TempDir()
	failed = map[string]string{}
	var mu sync.Mutex
	try := func(part string) (cases int) {
		report := filepath.Join(dir, strings.ReplaceAll(part, "/", "-"))
		// net/http ends a connection a second after it has said so.
		out, _ := exec.CommandContext(t.Context(), tool, "--strict", "--insecure", flag, "--timeout=2", "--host="+host, "--port="+port, "--junit-report="+report, part).CombinedOutput()
		verdicts, err := readReport(report)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Errorf("%s: %v: %s", part, err, out)
		}
		for _, v := range verdicts {
			if what := v.Section + " " + v.Case; v.Error != nil {
				failed[what] = *v.Error
			} else {
				delete(failed, what)
			}
		}
		return len(verdicts)
	}
	var cases atomic.Int64
	var parts sync.WaitGroup
	for _, part := range h2specParts {
		parts.Go(func() { cases.Add(int64(try(part))) })
	}
	parts.Wait()
	if cases.Load() != h2specCases {
		t.Errorf("%s: %d cases were tried, not %d", address, cases.Load(), h2specCases)
	}
	for _, what := range slices.Sorted(maps.Keys(failed)) { // in two seconds a busy machine may not have come to it
		if section, _, _ := strings.Cut(what, " "); h2specKnown[what] == "" && failed[what] != "" {
			try(section)
		}
	}
	return failed
}

// A verdict is h2spec's about one case.
type verdict struct {
	Section string  `xml:"package,attr"`
	Case    string  `xml:"classname,attr"`
	Error   *string `xml:"error"`
}

func readReport(path string) ([]verdict, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var report struct {
		Verdicts []verdict `xml:"testsuite>testcase"`
	}
	err = xml.Unmarshal(text, &report)
	return report.Verdicts, err
}
