package shoptest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/shoptest"
)

// start runs a shell script.
func start(t *testing.T, script string) (*shoptest.Process, error) {
	t.Helper()
	return shoptest.Start(t.Context(), "/bin/sh", "-c", script)
}

func healthy(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestStartSaysWhyAProgramEnded(t *testing.T) {
	t.Parallel()
	_, err := start(t, "echo the disk is full >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "it ended") || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("error %v, want that it ended and what it printed", err)
	}
}

func TestStopReportsTheExitCode(t *testing.T) {
	t.Parallel()
	url := healthy(t)
	for code, want := range map[int]string{0: "", 7: "exit code 7"} {
		p, err := start(t, fmt.Sprintf(`trap "exit %d" TERM; echo "ready on %s"; while :; do sleep 0.01; done`, code, url))
		if err != nil {
			t.Fatal(err)
		}
		if p.URL != url {
			t.Errorf("URL %s, want %s", p.URL, url)
		}
		if err := p.Stop(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestKillEndsAtOnce(t *testing.T) {
	t.Parallel()
	p, err := start(t, fmt.Sprintf(`trap "" TERM; echo "ready on %s"; while :; do sleep 0.01; done`, healthy(t)))
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	p.Kill() // a second time does no harm
}
