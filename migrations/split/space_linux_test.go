package split_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// room is a small disk, and a file that takes what of it is not to be free.
type room struct {
	t       *testing.T
	dir     string
	ballast string
}

// newRoom mounts a disk of so many bytes in the namespace of this process.
func newRoom(t *testing.T, bytes string) *room {
	t.Helper()
	r := &room{t: t, dir: t.TempDir()}
	if err := syscall.Mount("tmpfs", r.dir, "tmpfs", 0, "size="+bytes); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(r.dir, syscall.MNT_DETACH) }) //nolint:errcheck // the namespace ends, too
	r.ballast = filepath.Join(r.dir, "ballast")
	return r
}

// leave takes all but so many bytes.
func (r *room) leave(bytes int64) {
	r.t.Helper()
	var s syscall.Statfs_t
	f, err := os.OpenFile(r.ballast, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		defer f.Close()
		err = syscall.Statfs(r.dir, &s)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, max(0, int64(s.Bavail)*s.Bsize-bytes))); err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) clear() {
	r.t.Helper()
	if err := os.Remove(r.ballast); err != nil {
		r.t.Fatal(err)
	}
}

// newStageOn is a stage one side of which is a link to a file on a small disk.
func newStageOn(t *testing.T, r *room, side, limit string) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	if err := os.Symlink(filepath.Join(r.dir, side+".db"), filepath.Join(s.dir, side+".db")); err != nil {
		t.Fatal(err)
	}
	s.plan()
	plan, err := os.ReadFile(filepath.Join(s.dir, "plan.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "plan.yaml"), []byte(strings.Replace(string(plan), "disk: 1MiB", limit, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.app = newApp(t, s.dir, 5, "WAL")
	return s
}

// run starts a run and returns what it says, line by line.
func (s *stage) run(command string) (cmd *exec.Cmd, lines *bufio.Scanner) {
	s.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { read.Close() })
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute) // else a test would wait for ever for what is never said
	s.t.Cleanup(cancel)
	cmd = exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "SPLIT_DO="+command, "SPLIT_DIR="+s.dir)
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	write.Close()
	return cmd, bufio.NewScanner(read)
}

// until reads lines up to one that holds words.
func until(t *testing.T, lines *bufio.Scanner, words string) string {
	t.Helper()
	var all []string
	for lines.Scan() {
		all = append(all, lines.Text())
		if strings.Contains(lines.Text(), words) {
			return lines.Text()
		}
	}
	t.Fatalf("it never said %q: %s", words, strings.Join(all, "\n"))
	return ""
}

// TestSmallDisks has real disks run full, in a namespace where this process may mount.
func TestSmallDisks(t *testing.T) {
	t.Parallel()
	if os.Getenv("SPLIT_NAMESPACE") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSmallDisks$", "-test.v", "-test.timeout=3m")
		cmd.Env = append(os.Environ(), "SPLIT_NAMESPACE=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "operation not permitted") || out == nil && err != nil {
			t.Skipf("no disk can be mounted here: %v %s", err, out)
		}
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	t.Run("target full", func(t *testing.T) { fullTarget(t, "disk: 0", "database or disk is full") })
	t.Run("target nearly full", func(t *testing.T) { fullTarget(t, "disk: 1MiB", "limits.disk keeps 1.0 MiB") })
	t.Run("source nearly full", nearlyFullSource)
}

// fullTarget: the run says which disk is full, waits while the application goes on
// writing, and ends well once there is room.
func fullTarget(t *testing.T, limit, says string) {
	r := newRoom(t, "4m")
	s := newStageOn(t, r, "target", limit)
	s.must("run")
	s.app.begin()
	r.leave(64 << 10)
	follows, lines := s.run("follow")
	waits := until(t, lines, "msg=waits")
	if !strings.Contains(waits, says) || !strings.Contains(waits, "target.db") {
		t.Errorf("it does not say what and where: %s", waits)
	}
	if ok, words := s.do("cutover", "", 0); ok {
		t.Errorf("it has cut over to a full disk: %s", words)
	}
	s.app.waitForWrites(50)
	r.clear()
	until(t, lines, "goes on")
	if err := follows.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	follows.Wait() //nolint:errcheck // it was interrupted
	s.must("run")
	phase{owner: "source"}.end(s)
}

// nearlyFullSource: before the application's writes find the disk full, the engine takes
// itself out of the source.
func nearlyFullSource(t *testing.T) {
	r := newRoom(t, "48m")
	s := newStageOn(t, r, "source", "disk: 32MiB")
	s.must("run")
	s.app.begin()
	follows, lines := s.run("follow")
	s.app.waitForWrites(20)
	r.leave(7 << 20) // the application's own log of writes grows to 4 MiB before it begins anew
	until(t, lines, "split kit was aborted, so that the application can go on writing")
	if err := follows.Wait(); err == nil {
		t.Error("it ended as if all were well")
	}
	s.app.waitForWrites(20)
	s.app.bare("source")
	s.app.untouched()
	r.clear()
	s.must("run")
	phase{owner: "source"}.end(s)
}

// waitForWrites waits until the application has made some more writes.
func (a *app) waitForWrites(n int) {
	a.t.Helper()
	count := func() int {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.writes
	}
	for begin, end := count(), time.Now().Add(20*time.Second); count() < begin+n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			a.t.Fatal("the application does not go on writing")
		}
	}
}
