//go:build unix

package yamldoc_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

const editorOf = "YAMLDOC_TEST_EDITOR_OF"

// TestMain lets this test program be an editor that somebody kills.
func TestMain(m *testing.M) {
	path := os.Getenv(editorOf)
	if path == "" {
		os.Exit(m.Run())
	}
	for {
		if err := yamldoc.Update(path, toggle); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Print(".")
	}
}

func toggle(before []byte) ([]byte, error) {
	doc, err := yamldoc.Parse("c.yaml", before)
	if err != nil {
		return nil, err
	}
	if doc.Root.Get("k").Text == "old" {
		return doc.SetString("new", "k")
	}
	return doc.SetString("old", "k")
}

// An editor that is killed at any moment leaves the file as it was or as it should be,
// and what it leaves beside it goes with the next edit.
func TestKilledEditors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "c.yaml")
	old := "k: old\n# " + strings.Repeat("x", 1<<18) + "\n"
	write(t, path, old, 0o600)
	write(t, filepath.Join(dir, ".c.yaml.123.new"), "half", 0o600)
	write(t, filepath.Join(dir, ".c.yaml.swp"), "an editor's", 0o600)
	for round := range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), editorOf+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 1)
		if _, err := out.Read(first); err != nil || first[0] != '.' {
			t.Errorf("the editor says %q %v", first, err)
		}
		time.AfterFunc(time.Duration(round)*700*time.Microsecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		if got := read(t, path); got != old && got != strings.Replace(old, "old", "new", 1) {
			t.Fatalf("round %d left %d bytes: %.40q", round, len(got), got)
		}
	}
	if err := yamldoc.Update(path, toggle); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if !bytes.HasPrefix([]byte(read(t, path)), []byte("k: ")) {
		t.Error("the file is gone")
	}
}
