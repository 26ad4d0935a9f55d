package cli_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/compare/cli"
	"github.com/stranglerfig/toolkit/compare/report"
	"github.com/stranglerfig/toolkit/internal/program"
)

const described = `openapi: 3.1.0
paths:
  /orders:
    post: {operationId: placeOrder, responses: {"201": {}}}
  /orders/{number}:
    get: {operationId: showOrder, responses: {"200": {}, "404": {}, "410": {}}}
    delete: {operationId: dropOrder, responses: {"204": {}, "404": {}}}
`

// An OpenAPI file gives routes their templates, and says what there is to be covered.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	before, after, dir := newSystem(t, 100), newSystem(t, 7000), t.TempDir()
	after.bug.Store("total")
	file := filepath.Join(dir, "orders.yaml")
	if err := os.WriteFile(file, []byte(described), 0o600); err != nil {
		t.Fatal(err)
	}
	got := run(t, before, after, dir, "--openapi", file)
	if got.code != program.Differs || !strings.Contains(got.out, "\nGET /orders/{number}\n") || !strings.Contains(got.out, "2 of 3 operations covered by a success and an error; 0 required; 3 of 6 documented answers seen") {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	r, err := report.Read(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Coverage {
		want := map[string]string{"placeOrder": "", "showOrder": "410", "dropOrder": "204 404"}[c.Name]
		if !c.Operation || strings.Join(c.Unseen, " ") != want || c.Covered != (c.Name != "dropOrder") {
			t.Errorf("%+v, want unseen %q", c, want)
		}
	}
	after.bug.Store("")
	for require, code := range map[string]int{"placeOrder": program.OK, "dropOrder": 4, "*Order": 4} {
		if got := run(t, before, after, t.TempDir(), "--openapi", file, "--require-routes", require); got.code != code {
			t.Errorf("--require-routes %s: exit code %d, want %d\n%s%s", require, got.code, code, got.out, got.err)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Replace(described, "/orders:", "/carts:", 1)+`  /other: {}`), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"diff", "--out", t.TempDir(), "--openapi", file}
	for _, r := range []string{"before-1", "before-2", "after-1"} {
		args = append(args, filepath.Join(dir, r))
	}
	if got := compareCommand(t.Context(), t, cli.Options{}, args...); !strings.Contains(got.out, "POST /orders, which no OpenAPI file describes, was asked for 4 times") {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	if got := compareCommand(t.Context(), t, cli.Options{}, slices.Concat(args, []string{"--openapi", file})...); got.code != program.Usage || !strings.Contains(got.err, "two files for") {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
}
