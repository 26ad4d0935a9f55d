package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/stranglerfig/toolkit/internal/program"
)

// detach runs the same command in the background, waits until it is ready, and
// prints what it had to say. If it ends instead, its error becomes ours.
func detach(ctx context.Context, opts Options, args []string) error {
	logs := filepath.Join(opts.Dir, "logs")
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return program.Fail(program.Usage, "give a folder that can be written with --dir", "make the demo's folder: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	log, err := os.CreateTemp(logs, "demo-*.log") // the log of another demo must not be cut off
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(self, args...) //nolint:noctx // it is to outlive us
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("detach: %w", err), os.Remove(log.Name()))
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return errors.Join(whyEnded(log.Name(), err), os.Remove(log.Name()))
		default:
		}
		if st, err := readState(opts.Dir); err == nil && st.PID == cmd.Process.Pid && st.Ready {
			break
		}
		if err := pause(ctx); err != nil {
			cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended by itself
			<-ended                             //nolint:errcheck // it was told to
			return err
		}
	}
	said, err := os.ReadFile(log.Name())
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	fmt.Fprintf(opts.Out, "%s", said)
	if err := os.Rename(log.Name(), filepath.Join(logs, "demo.log")); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	return nil
}

// whyEnded turns the last words of a demo that ended too early into our error.
func whyEnded(log string, err error) error {
	said, readErr := os.ReadFile(log)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	code := program.Unreachable
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		code = exit.ExitCode()
	}
	words := strings.TrimPrefix(strings.TrimSpace(string(said)), "strangler: ")
	if words == "" {
		words = "the demo ended before it was ready"
	}
	return &program.Error{Code: code, Err: errors.New(words)}
}
