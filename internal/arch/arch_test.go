// Package arch holds the import policy of the repository as a test. A package
// without a line in the policy fails, and so does a line without a package.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/stranglerfig/toolkit/"

// policy says what the packages below a folder may import of this module; the
// longest folder wins. A package may always import below its own folder.
var policy = map[string]rule{
	"cmd":              {[]string{"compare", "extracted", "internal", "migrations", "monolith", "strangler-proxy"}, "main wires everything, and nothing imports a main"},
	"compare":          {[]string{"internal"}, "the differ and its tools know neither proxy nor shop"},
	"strangler-proxy":  {[]string{"compare", "internal"}, "the proxy knows no shop and no database"},
	"migrations":       {[]string{"internal"}, "schemas know no shop code"},
	"migrations/split": {[]string{"internal"}, "the split engine knows no shop, not even its schemas"},
	"monolith":         {[]string{"internal", "migrations"}, "the shop before"},
	"extracted":        {[]string{"internal", "migrations"}, "the shop after"},
	"acceptance":       {[]string{"internal"}, "a black box: no knowledge of the implementation"},
	"internal":         {[]string{"internal", "migrations"}, "technical code without shop nouns"},
}

type rule struct {
	imports []string
	why     string
}

// siblings lists the domains that a domain of the monolith may import. All else
// they share through SQL: that is the entanglement the tutorial takes apart.
var siblings = map[string][]string{
	"monolith/admin":         {"monolith/identity"},
	"monolith/cart":          {"monolith/identity", "monolith/pricing"},
	"monolith/catalog":       {"monolith/identity"},
	"monolith/inventory":     {"monolith/identity"},
	"monolith/notifications": {"monolith/identity"},
	"monolith/orders":        {"monolith/identity", "monolith/payments", "monolith/pricing"},
	"monolith/payments":      {"monolith/identity"},
	"monolith/pricing":       {"monolith/identity"},
	"monolith/reviews":       {"monolith/identity"},
	"monolith/seed":          {"monolith/pricing"},
	"monolith/storefront": {
		"monolith/admin", "monolith/cart", "monolith/catalog", "monolith/identity", "monolith/inventory", "monolith/notifications",
		"monolith/orders", "monolith/payments", "monolith/pricing", "monolith/recommendations", "monolith/reviews",
	},
	"monolith/testkit":  {"monolith", "monolith/identity"},
	"monolith/copytest": {"monolith", "monolith/seed", "monolith/testkit"},
}

// onlyIn names the folders that alone may import a library.
var onlyIn = map[string]string{
	"github.com/mattn/go-sqlite3":  "internal/sqlite",
	"github.com/pressly/goose/v3":  "migrations",
	"github.com/chromedp/chromedp": "monolith/storefront",
}

func TestImportPolicy(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		folder, r, ok := ruleOf(name)
		if !ok {
			t.Errorf("%s: no line in the import policy; add one and say why", name)
			continue
		}
		seen[folder] = true
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if home, ok := onlyIn[imported]; ok && !within(name, home) {
				t.Errorf("%s imports %s: only %s may", name, imported, home)
			}
			local, ok := strings.CutPrefix(imported, module)
			if !ok || allowed(name, folder, local, r, slices.Contains(p.Imports, imported)) {
				continue
			}
			t.Errorf("%s imports %s: not allowed (%s)", name, local, r.why)
		}
	}
	for folder := range policy {
		if !seen[folder] {
			t.Errorf("the policy has a line for %s, which holds no package: delete it", folder)
		}
	}
}

// allowed reports whether the package name, under the rule r of folder, may import
// local; code says that it is not only a test that does.
func allowed(name, folder, local string, r rule, code bool) bool {
	domain, sub, isDomain := strings.Cut(name, "/")
	switch {
	case within(local, "cmd"):
		return false
	case folder == "monolith" && isDomain && code && within(local, "monolith"):
		sub, _, _ = strings.Cut(sub, "/")
		return within(local, domain+"/"+sub) || slices.Contains(siblings[domain+"/"+sub], local)
	case folder == "extracted" && within(local, "extracted"):
		sub, _, _ = strings.Cut(sub, "/")
		return within(local, "extracted/"+sub)
	case within(local, folder):
		return true
	}
	return slices.ContainsFunc(r.imports, func(f string) bool { return within(local, f) })
}

func ruleOf(name string) (string, rule, bool) {
	for folder := name; folder != "."; folder = path.Dir(folder) {
		if r, ok := policy[folder]; ok {
			return folder, r, true
		}
	}
	return "", rule{}, false
}

// TestProxyNeedsNoC keeps the proxy a static binary: no package below it pulls in
// SQLite, not even through others.
func TestProxyNeedsNoC(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./strangler-proxy/...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		local := strings.TrimPrefix(dep, module)
		if dep == "github.com/mattn/go-sqlite3" || within(local, "monolith") || within(local, "extracted") {
			t.Errorf("the proxy depends on %s", dep)
		}
	}
}

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var list []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func within(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}
