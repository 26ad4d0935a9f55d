//go:build unix

package audit_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
)

const writerOf = "AUDIT_TEST_WRITER_OF"

// TestMain lets this test program be a writer that somebody kills.
func TestMain(m *testing.M) {
	if path := os.Getenv(writerOf); path != "" {
		l := audit.Of(path)
		for i := 0; ; i++ {
			e := entry(i)
			e.Actor = "cli:" + strconv.Itoa(os.Getpid())
			if err := l.Append(background(), e); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fmt.Println(i)
		}
	}
	os.Exit(m.Run())
}

// Writers that are killed at any moment lose nothing that they were told is written,
// and leave a log on which the next one goes on.
func TestKilledWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.yaml")
	acknowledged := map[string]int{}
	for round := range 6 {
		var all sync.WaitGroup
		var mu sync.Mutex
		for writer := range 3 {
			all.Go(func() {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), writerOf+"="+path)
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Error(err)
					return
				}
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				lines, last := bufio.NewScanner(out), -1
				for lines.Scan() {
					last, _ = strconv.Atoi(lines.Text())
					if last == 3+round { // at no particular moment of the next append
						time.AfterFunc(time.Duration(137*writer+41*round)*time.Microsecond, func() { _ = cmd.Process.Kill() })
					}
				}
				_ = cmd.Wait()
				mu.Lock()
				defer mu.Unlock()
				acknowledged["cli:"+strconv.Itoa(cmd.Process.Pid)] = last
			})
		}
		all.Wait()
		for _, p := range verify(t, path, "").Problems {
			if !strings.Contains(p.Text, "incomplete") {
				t.Errorf("round %d: %+v", round, p)
			}
		}
	}
	written(t, path, 1)
	if r := verify(t, path, ""); len(r.Problems) != 0 {
		t.Errorf("%+v", r)
	}
	h, err := audit.Read(audit.Path(path))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, e := range h {
		found[e.Actor]++
	}
	for actor, last := range acknowledged {
		if found[actor] < last+1 || found[actor] > last+2 {
			t.Errorf("%s was told that %d entries are written, the log has %d", actor, last+1, found[actor])
		}
	}
}
