package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/compare/cli"
	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/internal/program"
)

// newNamed answers every path with its name: two services that share all their paths.
func newNamed(t *testing.T, name string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"who":%q,"path":%q}`, name, r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// A suite that talks to two services, one by a variable and one by an argument. Each has its
// own recorder; what both have in common, their paths, does not mix them up.
func TestSeveralServices(t *testing.T) {
	t.Parallel()
	orders, payments, other, dir := newNamed(t, "orders"), newNamed(t, "payments"), newNamed(t, "another"), t.TempDir()
	const suite = `for u in $1; do curl -sf "$ORDERS/items/$u" "$0/items/$u" "$0/only" >/dev/null || exit 1; done`
	run := func(after string) result {
		return compareCommand(t.Context(), t, cli.Options{}, "run", "--url-env", "ORDERS=orders", "--out", dir, "--quiet",
			"--before", "payments="+payments, "--before", "orders="+orders, "--after", "payments="+after, "--after", "orders="+orders,
			"--", "sh", "-c", suite, "{{base_url:payments}}", "1 2 3")
	}
	if got := run(payments); got.code != program.OK || !strings.Contains(got.out, "9 exchanges compared") {
		t.Fatalf("the same services: exit code %d\n%s%s", got.code, got.out, got.err)
	}
	got := run(other)
	if got.code != program.Differs || !strings.Contains(got.out, "GET payments:/items/{}") || strings.Contains(got.out, "GET orders:") || !strings.Contains(got.out, other+"/items/1") {
		t.Errorf("another payments: exit code %d\n%s%s", got.code, got.out, got.err)
	}
	rec, err := record.Open(filepath.Join(dir, "before-1"))
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range rec.Exchanges {
		count[e.Service]++
		if !strings.Contains(string(e.Response.Body), e.Service) {
			t.Errorf("%s is recorded with %s", e.Service, e.Response.Body)
		}
	}
	if count["orders"] != 3 || count["payments"] != 6 {
		t.Errorf("recorded %v", count)
	}
	replayed := compareCommand(t.Context(), t, cli.Options{}, "replay", filepath.Join(dir, "before-1"), "--out", filepath.Join(dir, "again"),
		"--target", "orders="+orders, "--target", "payments="+payments)
	if replayed.code != program.OK || !strings.Contains(replayed.out, "9 requests sent") {
		t.Errorf("replay: exit code %d\n%s%s", replayed.code, replayed.out, replayed.err)
	}
	again := compareCommand(t.Context(), t, cli.Options{}, "diff", filepath.Join(dir, "before-1"), filepath.Join(dir, "again"), filepath.Join(dir, "before-2"), "--out", t.TempDir())
	if again.code != program.OK {
		t.Errorf("diff with the replay: exit code %d\n%s%s", again.code, again.out, again.err)
	}
}

func TestServicesThatDoNotFit(t *testing.T) {
	t.Parallel()
	const url = "http://127.0.0.1:1"
	for want, flags := range map[string][]string{
		"--after gives no URL for orders":                        {"--before", "orders=" + url, "--after", "payments=" + url},
		"--before: two URLs for orders":                          {"--before", "orders=" + url, "--before", "orders=" + url, "--after", url},
		"--before gives no URL for pay":                          {"--before", url, "--after", url, "--url-env", "PAY_URL=pay"},
		"--url-env SHOP: --before gives no URL without the name": {"--before", "a=" + url, "--after", "a=" + url, "--url-env", "SHOP"},
		"--url-env =a names no variable":                         {"--before", "a=" + url, "--after", "a=" + url, "--url-env", "=a"},
		"--after gives no URL for the service without a name":    {"--before", url, "--before", "a=" + url, "--after", "a=" + url},
	} {
		got := compareCommand(t.Context(), t, cli.Options{}, append(append([]string{"run", "--out", t.TempDir()}, flags...), "--", "true")...)
		if text := strings.ReplaceAll(got.err, "\n", " "); got.code != program.Usage || !strings.Contains(text, want) {
			t.Errorf("%v: exit code %d, %s, want %q", flags, got.code, got.err, want)
		}
	}
}
