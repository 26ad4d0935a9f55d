package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/service"
	"github.com/stranglerfig/toolkit/internal/shoptest"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte("this is not a database, by far"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // not before the subtests
	untouched := filepath.Join(dir, "untouched.db")
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":    {[]string{"serve", "--nonsense"}, "--nonsense"},
		"unknown command": {[]string{"nonsense"}, "nonsense"},
		"no database":     {[]string{"serve", "--addr", "127.0.0.1:0", "--db", text}, "text.db"},
		"another's":       {[]string{"serve", "--addr", "127.0.0.1:0", "--db", databaseOf(t, "catalog", dir)}, "another file"},
		"folder":          {[]string{"migrate", "--db", dir}, "folder"},
		"port in use":     {[]string{"serve", "--addr", taken.Addr().String(), "--db", untouched}, taken.Addr().String()},
		"bad monolith":    {[]string{"serve", "--monolith", "127.0.0.1:9000", "--db", untouched}, "--monolith"},
		"bad refresh":     {[]string{"serve", "--refresh", "0s", "--db", untouched}, "--refresh"},
		"bad log level":   {[]string{"serve", "--log-level", "loud", "--db", untouched}, "loud"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary, test.args...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
				t.Errorf("%v, want exit 2: %s", err, &stderr)
			}
			if got := stderr.String(); !strings.Contains(got, test.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("want one line that names %q, got:\n%s", test.want, got)
			}
		})
	}
	t.Cleanup(func() {
		if _, err := os.Stat(untouched); err == nil {
			t.Error("a refused start made the database")
		}
	})
}

func databaseOf(t *testing.T, owner, dir string) string {
	t.Helper()
	path := filepath.Join(dir, owner+".db")
	db, err := service.Open(t.Context(), owner, path, "")
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	return path
}

// TestStartsWithoutTheMonolith: the program is alive, says what it lacks, and stops in
// order.
func TestStartsWithoutTheMonolith(t *testing.T) {
	t.Parallel()
	p, err := shoptest.Start(t.Context(), binary, "serve", "--addr", "127.0.0.1:0", "--db", filepath.Join(t.TempDir(), "reviews.db"),
		"--monolith", "http://127.0.0.1:1", "--log-level", "error")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	for path, status := range map[string]int{"/healthz": 200, "/metrics": 200, "/readyz": 503, "/api/products/1/reviews": 503} {
		do(t, nil, http.MethodGet, p.URL+path, nil).want(t, status)
	}
	for _, path := range []string{"/internal/reviews/average", "/internal/products/1/reviews"} {
		do(t, nil, http.MethodGet, p.URL+path, nil).want(t, http.StatusUnauthorized)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
