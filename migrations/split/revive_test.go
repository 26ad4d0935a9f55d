package split_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/testkit"
)

// A coordinator is stopped in the middle of its work, as a machine that sleeps or a
// container that is frozen. Another one takes over, on the same machine once the first
// was silent for long enough, on another machine at once, and goes further. The first
// one is made to go on: it writes nothing, and says who has taken over.
func TestRevivedCoordinatorWritesNothing(t *testing.T) {
	t.Parallel()
	points := map[string][]string{"run": {"3", "9"}, "cutover": {"after hold", "after seal", "after own"}}
	if os.Getenv("SOAK") != "" {
		clear(points)
		for n := range 30 {
			points["run"] = append(points["run"], fmt.Sprint(1+n))
		}
		for _, step := range ownership.Steps() {
			points["cutover"] = append(points["cutover"], "before "+step.Name, "after "+step.Name)
		}
	}
	for command, all := range points {
		for i, at := range all {
			for j, machine := range []string{"", "other"} {
				if os.Getenv("SOAK") == "" && (i+j)%2 != 0 {
					continue
				}
				t.Run(command+" "+at+" "+machine, func(t *testing.T) {
					t.Parallel()
					revive(t, command, at, machine)
				})
			}
		}
	}
}

func revive(t *testing.T, command, at, machine string) {
	s := newStage(t, 11)
	s.env = []string{"SPLIT_SILENCE=500ms", impatient}
	s.app.begin()
	if command == "cutover" {
		s.must("run")
	}
	var words strings.Builder
	old := s.start(&words, command, "SPLIT_STOP="+at)
	if !stopped(t, old) {
		s.app.end()
		t.Skip("it has fewer points: " + words.String())
	}
	taker, said := s.takeOver(command, "SPLIT_MACHINE="+machine)
	if err := old.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	err := old.Wait()
	if taker == 0 { // the first one kept others away by its lock, and goes on as if nothing had been
		if !strings.Contains(said, "locked") {
			t.Fatalf("nobody could take over: %s", said)
		}
	} else if !decided(at) && (err == nil || !strings.Contains(words.String(), "taken over") ||
		!strings.Contains(words.String(), fmt.Sprintf("it is strangler split %s, process %d on ", command, taker))) {
		t.Errorf("the first coordinator ended with %v and said: %s", err, words.String())
	}
	s.env = nil
	owner := map[string]string{"run": "source", "cutover": "target"}[command]
	s.must(command)
	phase{owner: owner}.end(s)
}

// decided reports whether at that point the switch is made and nothing is left to write in
// the databases: who goes on there may end well.
func decided(at string) bool {
	return slices.Contains([]string{"after own", "before route", "after route", "before release", "after release"}, at)
}

// stopped waits until a process has stopped itself, or has ended.
func stopped(t *testing.T, cmd *exec.Cmd) bool {
	t.Helper()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil {
		t.Fatal(err)
	}
	return status.Stopped()
}

// takeOver gives the command again until it goes through, and returns its process; 0 if a
// lock of the first one stands in its way.
func (s *stage) takeOver(command string, env ...string) (process int, words string) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var b strings.Builder
		cmd := s.start(&b, command, env...)
		if cmd.Wait() == nil {
			return cmd.Process.Pid, ""
		}
		if words = b.String(); strings.Contains(words, "locked") {
			return 0, words
		}
	}
	s.t.Fatalf("nobody can take over: %s", words)
	return 0, ""
}

// TestStoppedInTheFenceOfPostgreSQL is the same where a server keeps the fence: at each step
// in it, on the way to the target and back.
func TestStoppedInTheFenceOfPostgreSQL(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("there is no fuse on this system")
	}
	for command, points := range map[string][]string{"cutover": {"after fence", "before seal"}, "rollback": {"after verify"}} {
		for _, at := range points {
			t.Run(command+" "+at, func(t *testing.T) {
				t.Parallel()
				source, target := testkit.PostgreSQL(t), testkit.PostgreSQL(t)
				s, a := pairPlan(t, source, target, "tables: [t]\ncreate_target: true\n"), newPgApp(t, 3, source, target)
				s.must("run")
				if command == "rollback" {
					s.must("cutover")
				}
				var words strings.Builder
				old := s.start(&words, command, "SPLIT_STOP="+at)
				if !stopped(t, old) {
					t.Fatal("it does not stop: " + words.String())
				}
				began := time.Now()
				for range 10 {
					a.write()
				}
				if took := time.Since(began); took > 6*time.Second {
					t.Errorf("writes waited for %s", took)
				}
				if err := old.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
					t.Errorf("the coordinator ended with %v", err)
				}
				s.must(command)
				s.must("run")
				for _, place := range a.sides {
					a.check(place.DSN)
				}
			})
		}
	}
}

// TestStoppedInTheFence: a coordinator that is stopped while it keeps writers out is ended
// by its fuse before an application loses patience, the source owns, and a new one goes on.
func TestStoppedInTheFence(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("there is no fuse on this system")
	}
	s := newStage(t, 13)
	s.must("run")
	var words strings.Builder
	old := s.start(&words, "cutover", "SPLIT_STOP=after verify")
	if !stopped(t, old) {
		t.Fatal("it does not stop: " + words.String())
	}
	began := time.Now()
	if _, err := s.app.open("source").ExecContext(t.Context(), `PRAGMA busy_timeout = 20000; UPDATE t SET v = v`); err != nil {
		t.Error(err)
	}
	t.Logf("a write waited for %s", time.Since(began).Round(10*time.Millisecond))
	if err := old.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the coordinator ended with %v", err)
	}
	s.must("cutover")
	s.app.check("target")
}
