package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/compare"
	"github.com/stranglerfig/toolkit/compare/cli"
	"github.com/stranglerfig/toolkit/internal/program"
)

// A system answers like a small shop; each has its own sequence of order numbers.
type system struct {
	*httptest.Server
	next atomic.Int64
	bug  atomic.Value // name of the bug it has
}

func newSystem(t *testing.T, first int64) *system {
	t.Helper()
	s := &system{}
	s.next.Store(first)
	s.bug.Store("")
	mux := http.NewServeMux()
	json := func(w http.ResponseWriter, status int, body string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
	order := func(id, show int64) string {
		total := "19.90"
		if s.bug.Load() == "total" {
			total = "19.91"
		}
		return fmt.Sprintf(`{"id":%d,"number":"ORD-%06d","total":%s,"token":"secret-%d"}`, show, show, total, id)
	}
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, _ *http.Request) {
		id := s.next.Add(1)
		w.Header().Set("Location", fmt.Sprintf("/orders/%d", id))
		json(w, 201, order(id, id))
	})
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		var id int64
		if _, err := fmt.Sscan(r.PathValue("id"), &id); err != nil || id > s.next.Load() {
			json(w, 404, `{"error":"not found"}`)
			return
		}
		show := id
		if s.bug.Load() == "other row" {
			show = s.next.Load() - 1
		}
		json(w, 200, order(id, show))
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// suite is a test command that needs nothing but a base URL.
const suite = `
set -e
for i in 1 2 3; do
  at=$(curl -sf -o /dev/null -w '%{redirect_url}' -X POST -H 'Authorization: Bearer topsecret123' -d password=hunter22 "$BASE_URL/orders")
done
id=$(curl -sf -X POST "$BASE_URL/orders" | sed 's/.*"id":\([0-9]*\).*/\1/')
curl -sf "$BASE_URL/orders/$id" >/dev/null
curl -s "$BASE_URL/orders/999999" >/dev/null
`

// a result is what a command printed, and its exit code.
type result struct {
	out, err string
	code     int
}

func compareCommand(ctx context.Context, t *testing.T, opts cli.Options, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	root := &cobra.Command{Use: "strangler", SilenceErrors: true, SilenceUsage: true}
	root.PersistentFlags().StringP("output", "o", "table", "")
	root.AddCommand(cli.Command("strangler", opts))
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(append([]string{"compare"}, args...))
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(&errs, err)
	}
	return result{out.String(), errs.String(), program.Code(err)}
}

func run(t *testing.T, before, after *system, dir string, flags ...string) result {
	t.Helper()
	args := append([]string{"run", "--before", before.URL, "--after", after.URL, "--out", dir, "--accept-file", filepath.Join(dir, "accept.json")}, flags...)
	return compareCommand(t.Context(), t, cli.Options{}, append(args, "--", "sh", "-c", suite)...)
}

func TestRunTellsSameFromDifferent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bug  string
		code int
		want string
	}{
		{"", 0, "SAME"},
		{"total", 1, "breaking value body /total"},
		{"other row", 1, "breaking identity body /id"},
	} {
		t.Run("bug "+c.bug, func(t *testing.T) {
			t.Parallel()
			before, after := newSystem(t, 100), newSystem(t, 7000)
			after.bug.Store(c.bug)
			got := run(t, before, after, t.TempDir())
			if got.code != c.code || !strings.Contains(got.out, c.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", got.code, c.code, c.want, got.out, got.err)
			}
		})
	}
}

func TestDiffGivesTheBytesOfRun(t *testing.T) {
	t.Parallel()
	before, after, dir := newSystem(t, 100), newSystem(t, 7000), t.TempDir()
	after.bug.Store("total")
	run(t, before, after, dir)
	first := readAll(t, dir)
	args := []string{"diff", "--out", dir, "--accept-file", filepath.Join(dir, "accept.json")}
	for _, r := range []string{"before-1", "before-2", "after-1"} {
		args = append(args, filepath.Join(dir, r))
	}
	if got := compareCommand(t.Context(), t, cli.Options{}, args...); got.code != program.Differs {
		t.Fatalf("exit code %d: %s%s", got.code, got.out, got.err)
	}
	for name, text := range readAll(t, dir) {
		if text != first[name] {
			t.Errorf("%s is another one from diff than from run", name)
		}
		for _, secret := range []string{"hunter22", "topsecret123", "secret-7001", "secret-101"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds the secret %q", name, secret)
			}
		}
	}
}

// The HAR of each run gives the report of its folder.
func TestDiffOfHARsGivesTheSameReport(t *testing.T) {
	t.Parallel()
	before, after, dir, out := newSystem(t, 100), newSystem(t, 7000), t.TempDir(), t.TempDir()
	after.bug.Store("total")
	run(t, before, after, dir)
	args := []string{"diff", "--out", out}
	for _, r := range []string{"before-1", "before-2", "after-1"} {
		args = append(args, filepath.Join(dir, r, "run.har"))
	}
	if got := compareCommand(t.Context(), t, cli.Options{}, args...); got.code != program.Differs {
		t.Fatalf("exit code %d: %s%s", got.code, got.out, got.err)
	}
	names := strings.NewReplacer("/run.har", "", out, dir)
	for _, name := range []string{"report.json", "report.html", "report.md", "junit.xml"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(out, name)); err != nil || names.Replace(string(got)) != string(want) {
			t.Errorf("%s is another one from the HAR files: %v", name, err)
		}
	}
}

// readAll returns every file below dir.
func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSelfTestFindsNearlyAll(t *testing.T) {
	t.Parallel()
	before, after, dir := newSystem(t, 100), newSystem(t, 7000), t.TempDir()
	run(t, before, after, dir)
	got := compareCommand(t.Context(), t, cli.Options{}, "selftest", "--fail-under", "99",
		filepath.Join(dir, "before-1"), filepath.Join(dir, "before-2"), filepath.Join(dir, "after-1"))
	if got.code != program.OK || !strings.Contains(got.out, "another row's id") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.err)
	}
}

func TestExplainAndAccept(t *testing.T) {
	t.Parallel()
	before, after, dir := newSystem(t, 100), newSystem(t, 7000), t.TempDir()
	after.bug.Store("total")
	first := run(t, before, after, dir)
	_, rest, found := strings.Cut(first.out, "breaking value body /total  ")
	if !found {
		t.Fatal(first.out)
	}
	reportFile := filepath.Join(dir, "report.json")
	if got := compareCommand(t.Context(), t, cli.Options{}, "explain", rest[:8], "--report", reportFile); got.code != 0 || !strings.Contains(got.out, "19.91") {
		t.Errorf("explain: exit code %d: %s%s", got.code, got.out, got.err)
	}
	accept := []string{"--report", reportFile, "--accept-file", filepath.Join(dir, "accept.json")}
	if got := compareCommand(t.Context(), t, cli.Options{}, append([]string{"accept", rest[:8]}, accept...)...); got.code != program.Usage {
		t.Errorf("accepted without a reason: %d %s", got.code, got.out)
	}
	for _, line := range strings.Split(first.out, "\n") {
		if fields := strings.Fields(line); len(fields) > 4 && fields[0] == "breaking" {
			id := fields[4]
			if got := compareCommand(t.Context(), t, cli.Options{}, append([]string{"accept", id, "--reason", "dearer now", "--until", "2999-01-01"}, accept...)...); got.code != 0 {
				t.Fatalf("accept %s: %s%s", id, got.out, got.err)
			}
		}
	}
	if got := run(t, before, after, dir); got.code != program.OK || !strings.Contains(got.out, "accepted") {
		t.Errorf("after accepting: exit code %d\n%s", got.code, got.out)
	}
	after.bug.Store("")
	if got := run(t, before, after, dir); got.code != program.OK || !strings.Contains(got.out, "was not seen") {
		t.Errorf("a rule that accepts nothing is not told: exit code %d\n%s", got.code, got.out)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	s := newSystem(t, 1)
	base := []string{"run", "--before", s.URL, "--after", s.URL, "--out", t.TempDir(), "--quiet"}
	table := cli.Options{Routes: func() (cli.Table, bool, error) {
		return cli.Table{
			Routes: []compare.Route{{Name: "orders-read"}, {Name: "orders-write"}},
			NameOf: func(method, path string) string {
				if strings.HasPrefix(path, "/orders") {
					return map[string]string{"GET": "orders-read", "POST": "orders-write"}[method]
				}
				return ""
			},
		}, true, nil
	}}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no command":      {base, program.Usage, "test command is missing"},
		"no such command": {append(base, "--", "no-such-command-here"), 3, "INVALID"},
		"no exchange":     {append(base, "--", "true"), 3, "no request came"},
		"reset fails":     {append(base, "--reset", "exit 1", "--", "sh", "-c", suite), 3, "reset failed"},
		"unreachable":     {[]string{"run", "--before", s.URL, "--after", "http://127.0.0.1:1", "--wait", "50ms", "--out", t.TempDir(), "--quiet", "--", "sh", "-c", suite}, 3, "cannot be reached"},
		"covered":         {append(base, "--require-routes", "orders-read", "--", "sh", "-c", suite), 0, "SAME"},
		"not covered":     {append(base, "--require-routes", "orders-*", "--", "sh", "-c", suite), 4, "orders-write is required"},
		"no such route":   {append(base, "--require-routes", "nothing", "--", "sh", "-c", suite), 4, "nothing is required"},
		"bad fail-on":     {append(base, "--fail-on", "everything", "--", "true"), program.Usage, "--fail-on"},
		"bad header":      {append(base, "--header", "no colon", "--", "true"), program.Usage, "is no header"},
		"Host as header":  {append(base, "-H", "host: shop.example", "--", "true"), program.Usage, "use --host"},
		"one BEFORE":      {append(base, "--before-runs", "1", "--", "true"), program.Usage, "at least twice"},
		"not a recording": {[]string{"diff", "/", "/", "/"}, program.Usage, "is no recording"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := slices.Clone(c.args)
			for i := range args { // each has its own folder
				if args[i] == "--out" {
					args[i+1] = t.TempDir()
				}
			}
			got := compareCommand(t.Context(), t, table, args...)
			if got.code != c.code || !strings.Contains(got.out+got.err, c.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", got.code, c.code, c.want, got.out, got.err)
			}
		})
	}
}
