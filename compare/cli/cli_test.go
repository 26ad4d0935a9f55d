package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"

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

func compareCommand(t *testing.T, ctx context.Context, opts cli.Options, args ...string) result {
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
	return compareCommand(t, t.Context(), cli.Options{}, append(args, "--", "sh", "-c", suite)...)
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
	if got := compareCommand(t, t.Context(), cli.Options{}, args...); got.code != program.Differs {
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
