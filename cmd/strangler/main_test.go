package main

import (
	"flag"
	"os"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/cli"
)

var update = flag.Bool("update", false, "rewrite docs/reference/cli.md")

// docs/reference/cli.md is what the commands say of themselves; -update rewrites it.
// This package is the only place that has them all, hence a test inside it.
func TestReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	const page = "../../docs/reference/cli.md"
	want := cli.Reference(root())
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(page); err != nil || string(have) != want {
		t.Errorf("%s is out of date (%v): go test ./cmd/strangler -update", page, err)
	}
}
