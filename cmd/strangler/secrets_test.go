package main

import (
	"bytes"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stranglerfig/toolkit/strangler-proxy/cli"
)

// secretive are words in the names of flags that may take a secret.
var secretive = regexp.MustCompile(`(?i)token|secret|passw|credential|\bkey\b|cookie`)

// Everybody on the machine can read the command line of a program, so that no flag takes a
// secret, but the name of a file with it; where one may be part of a value, the help says
// which variable takes it instead.
func TestFlagsTakeNoSecrets(t *testing.T) {
	t.Parallel()
	flags := 0
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			flags++
			variable := "STRANGLER_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			if secretive.MatchString(f.Name) && !strings.HasSuffix(f.Name, "-file") && !strings.Contains(f.Usage+c.Example, variable) {
				t.Errorf("%s --%s: %s", c.CommandPath(), f.Name, f.Usage)
			}
		})
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look(root())
	if flags < 100 {
		t.Errorf("only %d flags were looked at", flags)
	}
}

// A header with a secret comes from the environment, reaches the target, and is not in
// what is kept.
func TestHeaderWithASecret(t *testing.T) {
	const header = "service:header-0123456789-SECRET"
	t.Setenv("STRANGLER_HEADER", "X-Strangler-Force: "+header)
	var got atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/orders" {
			got.Store(r.Header.Get("X-Strangler-Force"))
		}
	}))
	t.Cleanup(s.Close)
	kept := t.TempDir()
	var said bytes.Buffer
	tool := root()
	tool.SetOut(&said)
	tool.SetErr(&said)
	err := cli.Execute(t.Context(), tool, []string{"compare", "record", "--target", s.URL, "--out", kept, "--", "sh", "-c", "curl -fsS $BASE_URL/orders"})
	if err != nil || got.Load() != header || strings.Contains(said.String(), "SECRET") {
		t.Errorf("%v, the target got %v: %s", err, got.Load(), said.String())
	}
	files := 0
	err = filepath.WalkDir(kept, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("SECRET")) {
			t.Errorf("%s has the secret", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, %v", files, err)
	}
}
