package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/internal/shoptest"
	"github.com/stranglerfig/toolkit/internal/sqlite"
)

var binary string // the program under test, built once

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "monolith")
	if err == nil {
		err = shoptest.Build(context.Background(), dir, "monolith")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "monolith")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// run runs the program in dir to its end.
func run(t *testing.T, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// wantRefusal runs the program and checks that it ends with status 2 and one line
// that holds all words.
func wantRefusal(t *testing.T, dir string, args []string, words ...string) {
	t.Helper()
	stdout, stderr, code := run(t, dir, args...)
	if code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "monolith: ") {
		t.Errorf("monolith %v: exit %d, want 2 and one line:\n%s%s", args, code, stdout, stderr)
	}
	for _, word := range words {
		if !strings.Contains(stderr, word) {
			t.Errorf("monolith %v: %q is missing in: %s", args, word, stderr)
		}
	}
}

// made returns a database with the newest schema.
func made(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop.db")
	if _, stderr, code := run(t, "", "migrate", "--db", path); code != 0 {
		t.Fatal(stderr)
	}
	return path
}

func open(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was made", e.Name())
	}
}

func TestBadCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, test := range []struct {
		args  []string
		words []string
	}{
		{[]string{"--port", "1"}, []string{"--port", "monolith --help"}},
		{[]string{"serve", "--port", "1"}, []string{"--port"}},
		{[]string{"serve", "now"}, []string{"now"}},
		{[]string{"sevre"}, []string{"sevre"}},
		{[]string{"serve", "--seed-scale", "many"}, []string{"many"}},
		{[]string{"serve", "--log-format", "xml"}, []string{"xml", "json"}},
		{[]string{"serve", "--log-level", "loud"}, []string{"loud", "debug"}},
		{[]string{"serve", "--addr", "nonsense"}, []string{"nonsense", "host:port"}},
		{[]string{"migrate", "-o", "xml"}, []string{"xml", "json"}},
		{[]string{"migrate", "--status"}, []string{"var/monolith.db", "monolith migrate"}},
		{[]string{"seed", "--scale", "0"}, []string{"--scale 0"}},
		{[]string{"seed", "--scale", "-1"}, []string{"--scale -1"}},
		{[]string{"seed", "--scale", "201"}, []string{"scale 201", "1 to 200"}},
		{[]string{"serve", "--addr", "127.0.0.1:0", "--seed-scale", "201"}, []string{"scale 201", "1 to 200"}},
		{[]string{"serve", "--addr", "127.0.0.1:0", "--seed-scale", "-1"}, []string{"scale -1", "1 to 200"}},
		{[]string{"serve", "--addr", "127.0.0.1:0", "--password-memory", "7"}, []string{"--password-memory 7", "from 8 to"}},
	} {
		wantRefusal(t, dir, test.args, test.words...)
	}
	wantEmpty(t, dir)
}

func TestBadDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, bytes.Repeat([]byte("no database\n"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	sink := filepath.Join(t.TempDir(), "n.jsonl")
	for path, words := range map[string][]string{
		filepath.Join(dir, "missing", "shop.db"): {"missing", "create the folder"},
		dir:                                      {dir, "folder"},
		text:                                     {text, "not a SQLite database"},
	} {
		for _, args := range [][]string{
			{"serve", "--addr", "127.0.0.1:0", "--db", path, "--notifications", sink},
			{"--addr", "127.0.0.1:0", "--db", path, "--notifications", sink},
			{"migrate", "--db", path},
			{"seed", "--db", path},
		} {
			wantRefusal(t, "", args, words...)
		}
	}
	wantEmpty(t, filepath.Dir(sink))
}

// A database that is whole, but another program's, stays as it is.
func TestDatabaseOfAnother(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bookmarks.db")
	db := open(t, path)
	if _, err := db.Writer().Exec(`CREATE TABLE bookmarks (url TEXT)`); err != nil {
		t.Fatal(err)
	}
	sink := filepath.Join(t.TempDir(), "n.jsonl")
	for _, args := range [][]string{
		{"serve", "--addr", "127.0.0.1:0", "--db", path, "--notifications", sink, "--seed-scale", "1"},
		{"migrate", "--db", path},
		{"seed", "--db", path},
	} {
		wantRefusal(t, "", args, path, "another program", "another file")
	}
	var tables int
	if err := db.Get(&tables, `SELECT count(*) FROM sqlite_master`); err != nil || tables != 1 {
		t.Errorf("%d tables, %v", tables, err)
	}
	wantEmpty(t, filepath.Dir(sink))
}

// A second monolith on one database would deliver twice and charge on its own book.
func TestSecondMonolithOnOneDatabase(t *testing.T) {
	t.Parallel()
	path := made(t)
	ledger, err := os.Create(path + ".ledger")
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	if err := filelock.Exclusive(ledger); err != nil { // as the first one does
		t.Fatal(err)
	}
	wantRefusal(t, "", []string{"serve", "--addr", "127.0.0.1:0", "--db", path, "--notifications", path + ".jsonl"},
		path+".ledger", "another process", "stop the other monolith")
}

func TestUnreadableDatabase(t *testing.T) {
	t.Parallel()
	path := made(t)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "serve", "--addr", "127.0.0.1:0", "--db", path)
	if os.Geteuid() == 0 { // root may read everything: run as somebody else, who may reach both files
		for _, dir := range []string{filepath.Dir(binary), filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		cmd.Dir = "/"
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Fatalf("ended with %v, want exit code 2: %s", err, out)
	}
	if line := string(out); strings.Count(line, "\n") != 1 || !strings.Contains(line, path) || !strings.Contains(line, "right to read") {
		t.Fatalf("printed %q; want one line that names the file and the remedy", line)
	}
}

func TestNewerSchemaStaysAsItIs(t *testing.T) {
	t.Parallel()
	path := made(t)
	db := open(t, path)
	if err := db.Tx(t.Context(), func(tx *sqlx.Tx) error {
		_, err := tx.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	db.Close()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sink := filepath.Join(t.TempDir(), "n.jsonl")
	for _, args := range [][]string{
		{"serve", "--addr", "127.0.0.1:0", "--db", path, "--notifications", sink, "--seed-scale", "1"},
		{"migrate", "--db", path},
		{"seed", "--db", path},
	} {
		wantRefusal(t, "", args, "9999", "newer")
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("the database was changed")
	}
	wantEmpty(t, filepath.Dir(sink))
}

func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	path := made(t)
	db := open(t, path)
	if err := db.Tx(t.Context(), func(*sqlx.Tx) error { // holds the write lock
		wantRefusal(t, "", []string{"serve", "--addr", "127.0.0.1:0", "--db", path, "--notifications", path + ".jsonl"}, path, "lock")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dir, addr := t.TempDir(), listener.Addr().String()
	wantRefusal(t, dir, []string{"serve", "--addr", addr}, addr, "in use")
	wantEmpty(t, dir)
}

func TestSinkThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	path := made(t)
	sink := filepath.Join(t.TempDir(), "missing", "n.jsonl")
	wantRefusal(t, "", []string{"serve", "--addr", "127.0.0.1:0", "--db", path, "--notifications", sink}, sink)
	ledger := filepath.Join(t.TempDir(), "missing", "ledger")
	wantRefusal(t, "", []string{"serve", "--addr", "127.0.0.1:0", "--db", path, "--notifications", path + ".jsonl", "--ledger", ledger}, ledger)
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shop.db")
	wantRefusal(t, "", []string{"migrate", "--status", "--db", path}, path)
	wantEmpty(t, filepath.Dir(path))
	for range 2 {
		stdout, stderr, code := run(t, "", "migrate", "--db", path)
		if code != 0 || !strings.Contains(stdout, "0001  applied  0001_create_shop.sql") {
			t.Fatalf("exit %d: %s%s", code, stdout, stderr)
		}
	}
	stdout, _, code := run(t, "", "migrate", "--status", "-o", "json", "--db", path)
	var status struct {
		Schema int
		Steps  []struct {
			Version int
			Applied bool
		}
	}
	if err := json.Unmarshal([]byte(stdout), &status); err != nil || code != 0 || status.Schema != 1 || len(status.Steps) == 0 || !status.Steps[0].Applied {
		t.Errorf("exit %d, %v: %s", code, err, stdout)
	}
}

func TestSeedOnlyOnce(t *testing.T) {
	t.Parallel()
	path := made(t)
	if stdout, stderr, code := run(t, "", "seed", "--db", path); code != 0 || !strings.Contains(stdout, "scale 1") {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	wantRefusal(t, "", []string{"seed", "--db", path}, path, "not empty")
}

func TestVersionAndCompletion(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"version", "--version"} {
		if stdout, _, code := run(t, "", args); code != 0 || !strings.HasPrefix(stdout, "monolith ") {
			t.Errorf("%s: exit %d: %s", args, code, stdout)
		}
	}
	if stdout, _, code := run(t, "", "completion", "bash"); code != 0 || !strings.Contains(stdout, "monolith") {
		t.Errorf("exit %d: %s", code, stdout)
	}
}

// server starts the program in dir and returns it with the address it prints.
func server(t *testing.T, dir string, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	line := make([]byte, 200)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("no line: %v", err)
	}
	_, url, ok := strings.Cut(strings.TrimSpace(string(line[:n])), "monolith ready on ")
	if !ok {
		t.Fatalf("the first line is %q", line[:n])
	}
	return cmd, url
}

func get(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// Without a command it serves: default folder made, shop seeded, and a SIGTERM
// ends it in order, with the last views written.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, url := server(t, dir, "--addr", "127.0.0.1:0", "--seed-scale", "1", "--log-level", "warn")
	for _, path := range []string{"/healthz", "/metrics", "/api/products", "/"} {
		if status := get(t, url+path); status != http.StatusOK {
			t.Errorf("GET %s: %d", path, status)
		}
	}
	db := open(t, filepath.Join(dir, "var", "monolith.db"))
	views := func() (n int) {
		if err := db.GetContext(t.Context(), &n, `SELECT coalesce(sum(views), 0) FROM product_views`); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := views()
	for range 5 {
		if status := get(t, url+"/api/products/1"); status != http.StatusOK {
			t.Errorf("GET product: %d", status)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("end after SIGTERM: %v", err)
	}
	if n := views() - before; n != 5 {
		t.Errorf("%d views were written, want 5", n)
	}
	// Again, with the same data and the seed asked for again.
	again, url := server(t, dir, "serve", "--addr", "127.0.0.1:0", "--seed-scale", "1", "--log-level", "warn")
	if status := get(t, url+"/api/products/1"); status != http.StatusOK {
		t.Errorf("GET product after a restart: %d", status)
	}
	if err := again.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := again.Wait(); err != nil {
		t.Errorf("end after SIGINT: %v", err)
	}
}

func TestSecretsComeFromTheEnvironment(t *testing.T) {
	path := made(t)
	t.Setenv("SHOP_INTERNAL_TOKEN", "s3cret")
	_, url := server(t, "", "serve", "--addr", "127.0.0.1:0", "--db", path, "--notifications", path+".jsonl", "--log-level", "warn")
	for token, want := range map[string]int{"s3cret": 200, "dev-internal-token": 401} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/internal/changes", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("token %s: %d, want %d", token, res.StatusCode, want)
		}
	}
}
