package strangler_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/stranglerfig/toolkit"

// The proxy knows neither the shop nor a database, so that it is one static program
// for any monolith.
func TestDependencies(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "./...", module+"/cmd/strangler-proxy").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	allowed := []string{module + "/strangler-proxy", module + "/internal/", module + "/compare", module + "/cmd/strangler-proxy"}
	for _, path := range strings.Fields(string(out)) {
		if strings.Contains(path, "sqlite") || strings.Contains(path, "goose") {
			t.Errorf("the proxy depends on %s", path)
		}
		if strings.HasPrefix(path, module) && !hasAnyPrefix(path, allowed) {
			t.Errorf("the proxy depends on %s", path)
		}
	}
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func TestBuildsWithoutCgo(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "strangler-proxy")
	build := exec.Command("go", "build", "-o", program, module+"/cmd/strangler-proxy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	if out, err := exec.Command(program, "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "strangler-proxy ") {
		t.Errorf("version: %q %v", out, err)
	}
}
