// Package servicetest is a test kit for the programs of services: what every one of them
// refuses, and what all of them say and do in the same way.
package servicetest

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

// Main builds the program cmd/<name>, says where it is, and runs the tests.
func Main(m *testing.M, name string, binary *string) {
	os.Exit(func() int {
		dir, remove, err := shoptest.TempDir()
		if err == nil {
			defer func() { _ = remove() }() // what is left there is temporary
			err = shoptest.Build(context.Background(), dir, name)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		*binary = filepath.Join(dir, name)
		return m.Run()
	}())
}

// A Refusal is a start that must end with exit code 2 and one line that holds Want.
type Refusal struct {
	Args []string
	Bug  string // SHOP_BUG
	Want string
}

// Refuses tries what no service accepts, and what its arguments more refuse, to which the
// path of a database is appended. None of it may make that database. The database of
// foreign, another owner, is no good either.
func Refuses(t *testing.T, binary, owner, foreign string, more map[string]Refusal) {
	t.Helper()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte("this is not a database, by far"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // not before the subtests
	untouched := filepath.Join(dir, "untouched.db")
	serve := func(args ...string) []string { return append([]string{"serve", "--db", untouched}, args...) }
	at := func(db string) []string { return []string{"serve", "--addr", "127.0.0.1:0", "--db", db} }
	all := map[string]Refusal{
		"unknown flag":     {Args: []string{"serve", "--nonsense"}, Want: "--nonsense"},
		"unknown command":  {Args: []string{"nonsense"}, Want: "nonsense"},
		"stray argument":   {Args: []string{"serve", "stray"}, Want: "stray"},
		"no database":      {Args: at(text), Want: "text.db"},
		"folder":           {Args: []string{"migrate", "--db", dir}, Want: "folder"},
		"no folder":        {Args: []string{"migrate", "--db", filepath.Join(dir, "none", "x.db")}, Want: "none"},
		"port in use":      {Args: serve("--addr", taken.Addr().String()), Want: taken.Addr().String()},
		"bad address":      {Args: serve("--addr", "nowhere"), Want: "nowhere"},
		"bad monolith":     {Args: serve("--monolith", "127.0.0.1:9000"), Want: "--monolith"},
		"bad refresh":      {Args: serve("--refresh", "0s"), Want: "--refresh"},
		"relative refresh": {Args: serve("--refresh", "often"), Want: "often"},
		"bad log level":    {Args: serve("--log-level", "loud"), Want: "loud"},
		"newer schema":     {Args: at(newerDatabase(t, owner, dir)), Want: "version 999"},
		"locked database":  {Args: at(lockedDatabase(t, dir)), Want: "lock"},
		"another's":        {Args: at(foreignDatabase(t, foreign, dir)), Want: "another file"},
	}
	for name, r := range more {
		r.Args = append(r.Args, "--db", untouched)
		all[name] = r
	}
	for name, r := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r.try(t, binary)
		})
	}
	t.Cleanup(func() {
		if _, err := os.Stat(untouched); err == nil {
			t.Error("a refused start made the database")
		}
	})
}

func (r *Refusal) try(t *testing.T, binary string) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, r.Args...)
	cmd.Env = append(os.Environ(), "SHOP_BUG="+r.Bug)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("%v, want exit 2: %s", err, &stderr)
	}
	if got := stderr.String(); !strings.Contains(got, r.Want) || strings.Count(got, "\n") != 1 {
		t.Errorf("want one line that names %q, got:\n%s", r.Want, got)
	}
}

func foreignDatabase(t *testing.T, owner, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "foreign.db")
	db, err := service.Open(t.Context(), owner, path, "")
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	return path
}

func newerDatabase(t *testing.T, owner, dir string) string {
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
		_ = tx.Rollback() // the database is thrown away
		db.Close()
	})
	return path
}

// NamesDrills checks that the help texts name the bugs that SHOP_BUG knows.
func NamesDrills(t *testing.T, binary string, bugs ...string) {
	t.Helper()
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}} {
		out, err := exec.CommandContext(t.Context(), binary, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, bug := range append([]string{"SHOP_BUG"}, bugs...) {
			if !strings.Contains(string(out), bug) {
				t.Errorf("%v does not name %s", args, bug)
			}
		}
	}
}

// Start runs the program. What it printed is shown when the test fails.
func Start(t *testing.T, binary string, args ...string) *shoptest.Process {
	t.Helper()
	p, err := shoptest.Start(t.Context(), binary, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Log(p.Output())
		}
	})
	return p
}

// WaitReady waits until the service at url has all it needs to serve.
func WaitReady(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ready(t, url); {
		if time.Now().After(deadline) {
			t.Fatalf("%s was never ready", url)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func ready(t *testing.T, url string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}
