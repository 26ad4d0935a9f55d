//go:build linux

package payments_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/monolith/payments"
)

// ledgerOfAChild makes the test run as a process of its own, because it limits how
// large the files of the whole process may become.
const ledgerOfAChild = "SHOP_TEST_LEDGER"

// A full disk cuts a line of the ledger short. The provider must go on afterwards,
// and must be able to read its ledger.
func TestLedgerOnAFullDisk(t *testing.T) {
	if path := os.Getenv(ledgerOfAChild); path != "" {
		fillTheDisk(t, path)
		return
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLedgerOnAFullDisk$")
	child.Env = append(os.Environ(), ledgerOfAChild+"="+path)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	entries, err := payments.ReadLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{"before": payments.Accepted, "late": payments.Accepted, "full": "", "after": payments.Accepted} {
		if got := entries[ref].Status; got != want {
			t.Errorf("%s is %q, want %q", ref, got, want)
		}
	}
}

func fillTheDisk(t *testing.T, path string) {
	signal.Ignore(syscall.SIGXFSZ)
	heard := &lines{found: make(chan string, 100)}
	f := openFake(t, payments.FakeOptions{Ledger: path, Late: time.Millisecond, Log: slog.New(slog.NewTextHandler(heard, nil))})
	if _, err := f.Charge(t.Context(), charge("before", goodCard)); err != nil {
		t.Fatal(err)
	}
	bounded, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	f.Charge(bounded, charge("late", lateGoodCard)) //nolint:errcheck // it answers later
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	limit(t, uint64(info.Size())+20)
	for range 2 {
		if o, err := f.Charge(t.Context(), charge("full", goodCard)); err == nil {
			t.Fatalf("a charge that cannot be written is %+v", o)
		}
	}
	delivered, ended := make(chan string, 10), make(chan error, 1)
	go func() {
		ended <- f.Run(t.Context(), func(_ context.Context, ref string, o payments.Outcome) error {
			delivered <- ref + " " + o.Status
			return nil
		})
	}()
	select {
	case err := <-ended:
		t.Fatalf("the provider gave up: %v", err)
	case line := <-heard.found:
		if !strings.Contains(line, "ledger") {
			t.Errorf("log: %s", line)
		}
	}
	limit(t, ^uint64(0))
	if got := <-delivered; got != "late accepted" {
		t.Errorf("delivered %q", got)
	}
	if _, err := f.Charge(t.Context(), charge("after", goodCard)); err != nil {
		t.Fatal(err)
	}
}

// limit is the size above which a file of this process cannot grow.
func limit(t *testing.T, size uint64) {
	t.Helper()
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		t.Fatal(err)
	}
	now.Cur = min(size, now.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
		t.Fatal(err)
	}
}

// lines passes on each line of a log.
type lines struct{ found chan string }

func (l *lines) Write(p []byte) (int, error) {
	l.found <- string(p)
	return len(p), nil
}
