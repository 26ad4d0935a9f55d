package program_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/stranglerfig/toolkit/internal/program"
)

func TestRunPrintsOneLineAndReturnsTheCode(t *testing.T) {
	refused := program.Fail(program.Refused, "use --force", "route %s: %w", "orders", fs.ErrPermission)
	for _, c := range []struct {
		err  error
		code int
		line string
	}{
		{nil, 0, ""},
		{errors.New("no answer"), 3, "tool: no answer\n"},
		{refused, 4, "tool: route orders: permission denied; use --force\n"},
		{fmt.Errorf("flip: %w", refused), 4, "tool: flip: route orders: permission denied; use --force\n"},
		{context.Canceled, 130, "tool: context canceled\n"},
	} {
		var stderr bytes.Buffer
		code := program.Run("tool", &stderr, func(context.Context) error { return c.err })
		if code != c.code || stderr.String() != c.line {
			t.Errorf("%v: code %d, %q; want %d, %q", c.err, code, stderr.String(), c.code, c.line)
		}
	}
	if !errors.Is(refused, fs.ErrPermission) {
		t.Error("the cause is hidden")
	}
}

func TestRunEndsTheContextAtASignal(t *testing.T) {
	var stderr bytes.Buffer
	code := program.Run("tool", &stderr, func(ctx context.Context) error {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	})
	if code != 0 || stderr.Len() > 0 {
		t.Fatalf("code %d, %q", code, stderr.String())
	}
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log, err := program.Logger(&out, "auto", "warn")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hidden")
	log.Warn("shown", "k", "v")
	if got := out.String(); !bytes.Contains(out.Bytes(), []byte(`"msg":"shown","k":"v"`)) || bytes.Contains(out.Bytes(), []byte("hidden")) {
		t.Fatalf("logged %q", got)
	}
	for _, bad := range [][2]string{{"xml", "info"}, {"json", "loud"}} {
		if _, err := program.Logger(&out, bad[0], bad[1]); program.Code(err) != program.Usage {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
