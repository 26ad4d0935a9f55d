package split_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// The test binary is also the process that is killed: with SPLIT_DO it is a command of
// the engine, and kills itself with SIGKILL at the point that SPLIT_KILL names: by a
// number, the n-th point of all that a crash could separate, or by its name. With
// SPLIT_STOP it stops itself there and can be made to go on; with SPLIT_WAIT it says that it
// is there, and waits to be told to go on.
func TestMain(m *testing.M) {
	if do := os.Getenv("SPLIT_DO"); do != "" {
		if err := child(do, os.Getenv("SPLIT_DIR"), &killer{at: os.Getenv("SPLIT_KILL"), signal: syscall.SIGKILL}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A killer ends or stops this process at one point.
type killer struct {
	at     string
	n      int
	seen   int
	struck bool
	signal syscall.Signal // 0: wait
}

func (k *killer) pass(name string) {
	k.seen++
	if !k.struck && (name == k.at || k.seen == k.n) { // not again where a step is tried again
		k.struck = true
		if k.signal == 0 {
			wait()
			return
		}
		syscall.Kill(os.Getpid(), k.signal) //nolint:errcheck // nobody is left to be told
	}
}

// wait tells the parent, by the first of the files that it gave, and waits for its answer
// in the second.
func wait() {
	there, on := os.NewFile(3, "there"), os.NewFile(4, "go on")
	there.WriteString("!") //nolint:errcheck // without a parent there is no point
	there.Close()
	io.ReadAll(on) //nolint:errcheck // its end is the answer
}

func (k *killer) observe(e ownership.Event) {
	switch {
	case !e.Done:
		k.pass("before " + e.Step)
	case e.Err == nil:
		k.pass("after " + e.Step)
	}
}

func child(do, dir string, k *killer) error {
	ctx := context.Background()
	if at := os.Getenv("SPLIT_STOP"); at != "" {
		k.at, k.signal = at, syscall.SIGSTOP
	}
	if at := os.Getenv("SPLIT_WAIT"); at != "" {
		k.at, k.signal = at, 0
	}
	k.n, _ = strconv.Atoi(k.at)
	path := filepath.Join(dir, "plan.yaml")
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	p, err := plan.Parse(path, source, plan.Options{})
	if err != nil {
		return err
	}
	patience, _ := time.ParseDuration(os.Getenv("SPLIT_PATIENCE"))
	silence, _ := time.ParseDuration(os.Getenv("SPLIT_SILENCE"))
	store, err := control.Open(ctx, filepath.Join(dir, os.Getenv("SPLIT_MACHINE"), control.File), control.Options{Silence: silence})
	if err != nil {
		return err
	}
	defer store.Close()
	e, err := split.Open(ctx, p, true, split.Options{Store: store, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Patience: patience, Transfer: transfer.Options{Step: func(name string) error { k.pass(name); return nil }}})
	if err != nil {
		return err
	}
	defer e.Close()
	return command(ctx, e, do, k)
}

// impatient lets a command wait for locks so shortly that one outlasts it without long
// tests.
const impatient = "SPLIT_PATIENCE=200ms"

// command is one command of the command line, without its words.
func command(ctx context.Context, e *split.Engine, do string, k *killer) error {
	o := split.SwitchOptions{Observe: k.observe}
	switch do {
	case "cutover", "rollback":
		to := map[string]ownership.Owner{"cutover": ownership.Target, "rollback": ownership.Source}[do]
		_, err := e.SwitchBy(ctx, to, o)
		if errors.Is(err, ownership.ErrOwns) {
			return nil
		}
		return err
	case "complete", "complete --keep-data":
		w, err := e.Begin(ctx, do, split.Any)
		if err != nil {
			return err
		}
		_, err = w.Complete(ctx, split.CompleteOptions{Confirm: true, KeepData: do != "complete", Step: k.pass})
		return errors.Join(err, w.End())
	case "abort":
		w, err := e.Begin(ctx, do, split.Any)
		if err != nil {
			return err
		}
		return errors.Join(w.Abort(ctx, split.AbortOptions{}), w.End())
	}
	mode := split.Make
	if do == "resync" {
		mode = split.Anew
	}
	w, err := e.Begin(ctx, do, mode)
	if err != nil {
		return err
	}
	until := split.ByVerified
	if do == "follow" {
		until = split.Stopped
	}
	return errors.Join(w.Run(ctx, split.RunOptions{Until: until, Resync: do == "resync", Handle: split.Switches()}), w.End())
}

// A stage is a folder with a plan, and an application that goes on writing.
type stage struct {
	t   *testing.T
	env []string // of its commands
	dir string
	app *app
}

func newStage(t *testing.T, seed uint64) *stage {
	t.Helper()
	return newStageIn(t, seed, "WAL")
}

// newStageIn is newStage with a source in another journal mode.
func newStageIn(t *testing.T, seed uint64, journal string) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	s.plan()
	s.app = newApp(t, s.dir, seed, journal)
	return s
}

// plan writes the plan file.
func (s *stage) plan() {
	s.t.Helper()
	text := fmt.Sprintf(`version: 1
split: kit
source: { driver: sqlite3, dsn: "file:%[1]s/source.db" }
target: { driver: sqlite3, dsn: "file:%[1]s/target.db" }
tables: [t]
create_target: true
limits: { fence: 2s, disk: 1MiB }
`, s.dir)
	if err := os.WriteFile(filepath.Join(s.dir, "plan.yaml"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// fork copies a stage on which nobody writes, with all that is on it.
func (s *stage) fork(t *testing.T, seed uint64) *stage {
	t.Helper()
	f := &stage{t: t, dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(f.dir, control.File)), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"source.db", "target.db", control.File} {
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(filepath.Join(s.dir, name+suffix))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(f.dir, name+suffix), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	f.plan()
	f.app = s.app.fork(t, f.dir, seed)
	return f
}

// do runs a command in a process of its own, which is killed at a point or after a time,
// and reports whether it ended well.
func (s *stage) do(command, kill string, after time.Duration) (bool, string) {
	s.t.Helper()
	var words strings.Builder
	cmd := s.start(&words, command, "SPLIT_KILL="+kill)
	if after > 0 {
		timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
		defer timer.Stop()
	}
	err := cmd.Wait()
	return err == nil, words.String()
}

// start starts a command in a process of its own.
func (s *stage) start(words *strings.Builder, command string, env ...string) *exec.Cmd {
	s.t.Helper()
	cmd := s.prepare(words, command, env...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return cmd
}

func (s *stage) prepare(words *strings.Builder, command string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), "SPLIT_DO="+command, "SPLIT_DIR="+s.dir), slices.Concat(s.env, env)...)
	cmd.Stdout, cmd.Stderr = words, words
	return cmd
}

// must is do for a command that nobody kills.
func (s *stage) must(command string) {
	s.t.Helper()
	if ok, words := s.do(command, "", 0); !ok {
		s.t.Fatalf("%s failed: %s", command, words)
	}
}
