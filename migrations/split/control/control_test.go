package control_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/control"
)

// The test binary is also the other process: with CONTROL_HOLD it takes the lease of the
// split "s", says so, and waits to be killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("CONTROL_HOLD"); path != "" {
		os.Exit(hold(path))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

func hold(path string) int {
	ctx := context.Background()
	s, err := control.Open(ctx, path, control.Options{Silence: silence})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	l, err := s.Acquire(ctx, "s", "run", func(err error) { fmt.Println("lost:", err) })
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held", l.Generation())
	if _, err := l.Next(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println("asked")
	select {}
}

const silence = time.Second

type other struct {
	*exec.Cmd
	lines *bufio.Scanner
}

func startOther(t *testing.T, path string) *other {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "CONTROL_HOLD="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	o := &other{cmd, bufio.NewScanner(out)}
	o.expect(t, "held")
	return o
}

func (o *other) expect(t *testing.T, prefix string) {
	t.Helper()
	if !o.lines.Scan() || !strings.HasPrefix(o.lines.Text(), prefix) {
		t.Fatalf("the other process says %q, not %q", o.lines.Text(), prefix)
	}
}

func open(t *testing.T, path string) *control.Store {
	t.Helper()
	s, err := control.Open(t.Context(), path, control.Options{Silence: silence})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func acquire(t *testing.T, s *control.Store) *control.Lease {
	t.Helper()
	l, err := s.Acquire(t.Context(), "s", "cutover", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Release() })
	return l
}

func TestSecondIsToldWhoHoldsIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), control.File)
	s := open(t, path)
	if _, ok, err := s.Holder(t.Context(), "s"); ok || err != nil {
		t.Fatalf("a holder of nothing: %v", err)
	}
	o := startOther(t, path)
	began := time.Now()
	_, err := s.Acquire(t.Context(), "s", "cutover", nil)
	var held *control.HeldError
	if !errors.As(err, &held) || held.Holder.PID != o.Process.Pid || held.Holder.Doing != "run" {
		t.Fatalf("%v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s to refuse", took)
	}
	if h, ok, err := s.Holder(t.Context(), "s"); !ok || err != nil || h.PID != o.Process.Pid {
		t.Errorf("holder %v %v %v", h, ok, err)
	}
	if l, err := s.Acquire(t.Context(), "another", "run", nil); err != nil {
		t.Errorf("another split: %v", err)
	} else if err := l.Release(); err != nil {
		t.Error(err)
	}
}

func TestKilledHolderIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), control.File)
	s, o := open(t, path), startOther(t, path)
	if err := o.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	o.Wait() //nolint:errcheck // it was killed
	l := acquire(t, s)
	if l.Generation() != 2 {
		t.Errorf("generation %d", l.Generation())
	}
}

func TestStoppedHolderIsReplacedAfterItsSilence(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), control.File)
	s, o := open(t, path), startOther(t, path)
	if err := o.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for {
		l, err := s.Acquire(t.Context(), "s", "cutover", nil)
		var held *control.HeldError
		if errors.As(err, &held) {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer l.Release()
		break
	}
	if err := o.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	o.expect(t, "lost: split s: somebody has taken over")
}

func TestReleasedLeaseLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "c.db"))
	for range 3 {
		l, err := s.Acquire(t.Context(), "s", "run", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if locks, _ := filepath.Glob(filepath.Join(dir, "*.lock")); len(locks) > 0 {
		t.Errorf("left behind: %v", locks)
	}
}

func TestAskAndReply(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "c.db"))
	if _, err := s.Ask(t.Context(), "s", "pause", nil); !errors.Is(err, control.ErrNobody) {
		t.Fatalf("asked nobody: %v", err)
	}
	l := acquire(t, s)
	ended := make(chan error, 1)
	go func() {
		r, err := l.Next(t.Context()) // the request to nobody must not come back
		if err == nil && (r.Kind != "cutover" || string(r.Data) != `{"to":1}`) {
			err = fmt.Errorf("got %s %s", r.Kind, r.Data)
		}
		if err == nil {
			err = l.Reply(t.Context(), r, map[string]int{"epoch": 3})
		}
		ended <- err
	}()
	reply, err := s.Ask(t.Context(), "s", "cutover", map[string]int{"to": 1})
	if err != nil || string(reply) != `{"epoch":3}` {
		t.Errorf("%s, %v", reply, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAskerIsToldWhenTheHolderDies(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), control.File)
	s, o := open(t, path), startOther(t, path)
	ended := make(chan error, 1)
	go func() {
		_, err := s.Ask(t.Context(), "s", "cutover", nil)
		ended <- err
	}()
	o.expect(t, "asked")
	o.Process.Kill()
	o.Wait() //nolint:errcheck // it was killed
	if err := <-ended; !errors.Is(err, control.ErrNobody) {
		t.Errorf("%v", err)
	}
	l := acquire(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if r, err := l.Next(ctx); r != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the request came back: %v %v", r, err)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	s := open(t, path)
	for i, move := range []string{"a", "a", "b"} {
		e, err := control.NewEvent(move, "chunk", map[string]int{"rows": i})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Record(t.Context(), "s", e); err != nil {
			t.Fatal(err)
		}
	}
	events, err := open(t, path).Events(t.Context(), "s", "a")
	if err != nil || len(events) != 2 || events[1].Kind != "chunk" || string(events[1].Data) != `{"rows":1}` {
		t.Errorf("%+v, %v", events, err)
	}
	if all, err := s.Events(t.Context(), "s", ""); err != nil || len(all) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := json.Marshal(events); err != nil {
		t.Error(err)
	}
}

func TestWrongFileIsRefusedWithARemedy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := control.Open(t.Context(), path, control.Options{})
	if program.Code(err) != program.Usage || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}
