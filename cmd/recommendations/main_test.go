package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

var binary string // the real program

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "recommendations-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err := shoptest.Build(context.Background(), dir, "recommendations"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		binary = filepath.Join(dir, "recommendations")
		return m.Run()
	}())
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // not before the subtests
	untouched := filepath.Join(dir, "untouched.db")
	for name, test := range map[string]struct {
		args []string
		env  string
		want string
	}{
		"unknown flag":     {[]string{"serve", "--nonsense"}, "", "--nonsense"},
		"unknown command":  {[]string{"nonsense"}, "", "nonsense"},
		"stray argument":   {[]string{"serve", "stray"}, "", "stray"},
		"no database":      {[]string{"serve", "--addr", "127.0.0.1:0", "--db", file("text.db", "this is not a database, by far")}, "", "text.db"},
		"folder":           {[]string{"migrate", "--db", dir}, "", "folder"},
		"no folder":        {[]string{"migrate", "--db", filepath.Join(dir, "none", "x.db")}, "", "none"},
		"port in use":      {[]string{"serve", "--addr", taken.Addr().String(), "--db", untouched}, "", taken.Addr().String()},
		"bad address":      {[]string{"serve", "--addr", "nowhere", "--db", untouched}, "", "nowhere"},
		"bad monolith":     {[]string{"serve", "--monolith", "127.0.0.1:9000", "--db", untouched}, "", "--monolith"},
		"bad refresh":      {[]string{"serve", "--refresh", "0s", "--db", untouched}, "", "--refresh"},
		"bad log level":    {[]string{"serve", "--log-level", "loud", "--db", untouched}, "", "loud"},
		"unknown bug":      {[]string{"serve", "--db", untouched}, "recommendations-odd", "recommendations-slow"},
		"newer schema":     {[]string{"serve", "--addr", "127.0.0.1:0", "--db", newerDatabase(t, dir)}, "", "version 999"},
		"locked database":  {[]string{"serve", "--addr", "127.0.0.1:0", "--db", lockedDatabase(t, dir)}, "", "lock"},
		"relative refresh": {[]string{"serve", "--refresh", "often", "--db", untouched}, "", "often"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, binary, test.args...)
			cmd.Env = append(os.Environ(), "SHOP_BUG="+test.env)
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

func newerDatabase(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "newer.db")
	db, err := service.Open(t.Context(), owner, path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Writer().ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`); err != nil {
		t.Fatal(err)
	}
	return path
}

func lockedDatabase(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "locked.db")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Writer().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tx.Rollback()
		db.Close()
	})
	return path
}

func TestHelpNamesTheDrills(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}} {
		out, err := exec.CommandContext(t.Context(), binary, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, bug := range []string{"SHOP_BUG", "recommendations-slow", "recommendations-garbage", "recommendations-wrong"} {
			if !strings.Contains(string(out), bug) {
				t.Errorf("%v does not name %s", args, bug)
			}
		}
	}
}

// TestOutlivesTheMonolith kills the service and takes the monolith away: the next
// start answers from what it has.
func TestOutlivesTheMonolith(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	db := filepath.Join(t.TempDir(), "recommendations.db")
	start := func() *shoptest.Process {
		t.Helper()
		p, err := shoptest.Start(t.Context(), binary, "serve", "--addr", "127.0.0.1:0", "--db", db, "--monolith", s.url, "--refresh", "20ms")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		return p
	}
	first := start()
	waitReady(t, first.URL)
	path := "/api/products/1/recommendations"
	want := answer(t, http.MethodGet, s.url+path, "application/json")
	if got := answer(t, http.MethodGet, first.URL+path, "application/json"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	first.Kill()
	away := func() bool { return true }
	s.broken.Store(&away)
	second := start()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(second.Output())
		}
	})
	waitReady(t, second.URL)
	if got := answer(t, http.MethodGet, second.URL+path, "application/json"); got != want {
		t.Errorf("without the monolith: got %s, want %s", got, want)
	}
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
}

func waitReady(t *testing.T, url string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		res, err := http.Get(url + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s was never ready: %v", url, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
