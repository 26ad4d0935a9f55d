package filelock_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
)

// TestHolder is no test: it is the process that holds a lock until it is killed.
func TestHolder(t *testing.T) {
	path := os.Getenv("FILELOCK_HOLD")
	if path == "" {
		t.Skip("only in a process of its own")
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := filelock.Exclusive(f); err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString("held\n")
	time.Sleep(time.Minute)
	f.Close()
}

// TestSaysWhoHoldsIt: a process that was stopped while it held the lock is named, with
// what can be done about it.
func TestSaysWhoHoldsIt(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells who holds a lock")
	}
	folder := t.TempDir()
	holder := exec.Command(os.Args[0], "-test.run=^TestHolder$")
	holder.Env = append(os.Environ(), "FILELOCK_HOLD="+folder)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if err := holder.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(holder.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatal(err, status)
	}
	f, err := os.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	began := time.Now()
	err = filelock.WaitFor(f, filepath.Join(folder, "strangler.yaml"), 50*time.Millisecond)
	var busy *filelock.BusyError
	if !errors.As(err, &busy) || !errors.Is(err, filelock.ErrHeld) || time.Since(began) > 10*time.Second {
		t.Fatalf("%v after %s", err, time.Since(began))
	}
	pid := strconv.Itoa(holder.Process.Pid)
	if !strings.Contains(busy.Error(), "strangler.yaml is held by process "+pid) || !strings.Contains(busy.Error(), "stopped") || !strings.Contains(busy.Remedy, "kill -CONT "+pid) {
		t.Errorf("%v; %s", busy, busy.Remedy)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := filelock.WaitFor(f, folder, 10*time.Second); err != nil {
		t.Errorf("the holder is gone, but %v", err)
	}
}
