package fuse_test

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/fuse"
)

const limit = time.Second

// The test binary is also the process that stops itself.
func TestMain(m *testing.M) {
	f := fuse.Fuse{Limit: limit}
	stop := func() { syscall.Kill(os.Getpid(), syscall.SIGSTOP) } //nolint:errcheck // it is always there
	switch os.Getenv("FUSE_DO") {
	case "":
		os.Exit(m.Run())
	case "held":
		f.Hold()()
		f.Hold()
		stop()
	case "released":
		release := f.Hold()
		other := f.Hold()
		release()
		release()
		other()
		stop()
		time.Sleep(time.Minute) // SIGTERM ends it as soon as it goes on
	case "running":
		f.Hold()
		time.Sleep(limit + limit/4)
	}
}

// TestStoppedProcess: one that is stopped while others wait is killed, one that is stopped
// before or after is not, and neither is one that takes its time.
func TestStoppedProcess(t *testing.T) {
	t.Parallel()
	for do, want := range map[string]syscall.Signal{"held": syscall.SIGKILL, "released": syscall.SIGTERM, "running": 0} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), "FUSE_DO="+do)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if do == "released" { // what would have killed it comes first
				time.AfterFunc(limit+limit/4, func() {
					cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have been killed
					cmd.Process.Signal(syscall.SIGCONT) //nolint:errcheck // as above
				})
			}
			var ended *exec.ExitError
			signal := syscall.Signal(0)
			if err := cmd.Wait(); errors.As(err, &ended) {
				signal = ended.Sys().(syscall.WaitStatus).Signal()
			}
			if signal != want {
				t.Errorf("it ended by signal %v, want %v", signal, want)
			}
		})
	}
}
