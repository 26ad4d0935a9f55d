//go:build unix

package steer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

const moverOf = "STEER_TEST_MOVER_OF"

// TestMain lets this test program be somebody who moves a route and is killed.
func TestMain(m *testing.M) {
	path := os.Getenv(moverOf)
	if path == "" {
		os.Exit(m.Run())
	}
	f := steer.New(path, steer.Options{})
	for i := 0; ; i++ {
		to := []route.Stage{route.Shadow, route.Monolith}[i%2]
		if _, err := f.Set(context.Background(), []steer.Move{{Name: "a", To: to}}, steer.Order{Actor: "cli:killed"}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Print(".")
	}
}

// Whoever is killed while moving a route, the file is good, and the log leads to it as
// soon as somebody looks: what the dead did not note counts as done by hand.
func TestKilledMovers(t *testing.T) {
	t.Parallel()
	r := newRig(t, source)
	for round := range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), moverOf+"="+r.path)
		out, err := cmd.StdoutPipe()
		r.must(err)
		r.must(cmd.Start())
		first := make([]byte, 1)
		if _, err := out.Read(first); err != nil || first[0] != '.' {
			t.Errorf("it says %q %v", first, err)
		}
		time.AfterFunc(time.Duration(round)*900*time.Microsecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		r.must(r.NoteByHand(t.Context(), nil))
		h, err := r.History()
		r.must(err)
		if last := h[len(h)-1]; last.NewHash != r.config().Hash || last.To != r.stage("a") {
			t.Fatalf("round %d: the log ends at %s, %s, the file is at %s, %s", round, last.To, last.NewHash, r.stage("a"), r.config().Hash)
		}
	}
	r.must(r.set("a", "live", steer.Order{Force: true, Reason: "end"}))
	report, err := audit.Verify(audit.Path(r.path), "")
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("%v %+v", err, report)
	}
}

// hold keeps the lock of a file or folder until the test ends.
func hold(t *testing.T, path string) {
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := filelock.Exclusive(f); err != nil {
		t.Fatal(err)
	}
}

// Somebody who was stopped in the middle of a change is named; an emergency does not
// wait for them.
func TestStoppedMovers(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]func(r *rig) string{
		"at the file": func(r *rig) string { return filepath.Dir(r.path) },
		"at the log":  func(r *rig) string { return audit.Path(r.path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, source)
			r.must(r.set("a", "shadow", steer.Order{Actor: "cli:before"}))
			hold(t, file(r))
			began := time.Now()
			if _, err := r.Rollback(t.Context(), "a", steer.Order{Actor: "cli:somebody"}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 8*time.Second || r.stage("a") != "monolith" {
				t.Errorf("rolled back after %s to %s", took, r.stage("a"))
			}
			if name == "at the log" {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				_, err := r.Set(ctx, []steer.Move{{Name: "a", To: route.Shadow}}, steer.Order{Actor: "cli:somebody"})
				var busy *filelock.BusyError
				if !errors.As(err, &busy) || !strings.Contains(err.Error(), "strangler.yaml.audit.jsonl is held by") || program.Code(err) != program.Unreachable {
					t.Errorf("%v, code %d", err, program.Code(err))
				}
			}
		})
	}
}
