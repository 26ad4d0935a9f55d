package crashpoint_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stranglerfig/toolkit/internal/crashpoint"
)

// The test binary is also the program: with CRASHPOINT_WRITE it writes five lines to that
// file, each from a thread of its own, makes each last, and then takes another file away.
func TestMain(m *testing.M) {
	if path := os.Getenv("CRASHPOINT_WRITE"); path != "" {
		if err := write(path); err != nil {
			fmt.Println(err)
			os.Exit(7)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	for i := range 5 {
		var wg sync.WaitGroup
		var err error
		wg.Go(func() {
			if _, err = fmt.Fprintln(f, i); err == nil {
				err = f.Sync()
			}
		})
		if wg.Wait(); err != nil {
			return err
		}
	}
	return os.Remove(path + ".old")
}

const calls = 11 // 5 writes, 5 syncs, one removal

func run(t *testing.T, f crashpoint.Fault) (r crashpoint.Result, lines int, removed bool, words string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	if err := os.WriteFile(path+".old", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.Under = path
	log := filepath.Join(dir, "log") // it does not count
	r, err := crashpoint.Run(crashpoint.Program{Path: os.Args[0], Env: append(os.Environ(), "CRASHPOINT_WRITE="+path), Log: log}, f)
	if errors.Is(err, crashpoint.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	said, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat(path + ".old")
	return r, strings.Count(string(text), "\n"), err != nil, string(said)
}

func TestKillAtEveryCall(t *testing.T) {
	t.Parallel()
	for n := 1; n <= calls; n++ {
		r, lines, removed, _ := run(t, crashpoint.Fault{N: n})
		if !r.Killed || !r.Struck || r.Calls != n || lines != n/2 || removed {
			t.Errorf("call %d: %+v, %d lines, removed %t", n, r, lines, removed)
		}
	}
	for _, n := range []int{0, calls + 1} {
		if r, lines, removed, _ := run(t, crashpoint.Fault{N: n}); r.Killed || r.Struck || r.Code != 0 || r.Calls != calls || lines != 5 || !removed {
			t.Errorf("no kill: %+v, %d lines, removed %t", r, lines, removed)
		}
	}
}

func TestLetCallsFail(t *testing.T) {
	t.Parallel()
	for n := 1; n <= calls; n++ {
		r, lines, removed, words := run(t, crashpoint.Fault{N: n, Error: int(syscall.ENOSPC)})
		if r.Killed || !r.Struck || r.Code != 7 || lines != n/2 || removed || !strings.Contains(words, syscall.ENOSPC.Error()) {
			t.Errorf("call %d: %+v, %d lines, removed %t, %s", n, r, lines, removed, words)
		}
	}
}
