//go:build linux

package handover_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stranglerfig/toolkit/strangler-proxy/handover"
)

// TestMain lets this program be one that a service manager has opened sockets for.
func TestMain(m *testing.M) {
	if os.Getenv("STRANGLER_TEST_INHERIT") != "" {
		listeners, err := handover.Inherited(func(name string) (string, bool) {
			if name == "LISTEN_PID" && os.Getenv("LISTEN_PID") == "" {
				return strconv.Itoa(os.Getpid()), true // who starts us cannot know it before
			}
			return os.LookupEnv(name)
		})
		for _, name := range slices.Sorted(maps.Keys(listeners)) {
			fmt.Printf("%s=%s ", name, listeners[name].Addr())
		}
		fmt.Println(err)
		return
	}
	goleak.VerifyTestMain(m)
}

func sockets(t *testing.T) handover.Listeners {
	t.Helper()
	all := handover.Listeners{}
	for _, name := range []string{handover.Public, handover.Admin} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		all[name] = l.(*net.TCPListener)
	}
	t.Cleanup(all.Close)
	return all
}

func offer(t *testing.T, path string, l handover.Listeners) *handover.Offer {
	t.Helper()
	o, err := handover.New(path, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func take(t *testing.T, path string) *handover.Taken {
	t.Helper()
	taken, err := handover.Take(t.Context(), path)
	if err != nil || taken == nil {
		t.Fatalf("take: %v %v", taken, err)
	}
	t.Cleanup(taken.Close)
	return taken
}

func open(o *handover.Offer) bool {
	select {
	case <-o.Taken():
		return false
	default:
		return true
	}
}

// reaches reports whether who accepts at l gets a connection to its address.
func reaches(t *testing.T, l *net.TCPListener) {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = l.SetDeadline(time.Now().Add(5 * time.Second))
	got, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	got.Close()
}

func TestHandover(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	if taken, err := handover.Take(t.Context(), path); taken != nil || err != nil {
		t.Fatalf("from nobody: %v %v", taken, err)
	}
	old := sockets(t)
	first := offer(t, path, old)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket file: %v %v", info.Mode(), err)
	}
	taken := take(t, path)
	if taken.From != os.Getpid() || len(taken.Listeners) != 2 {
		t.Errorf("taken: %+v", taken)
	}
	for name, l := range taken.Listeners {
		if l.Addr().String() != old[name].Addr().String() {
			t.Errorf("%s is at %v, not %v", name, l.Addr(), old[name].Addr())
		}
		reaches(t, l)
		reaches(t, old[name]) // the predecessor goes on
	}
	if !open(first) {
		t.Error("the predecessor leaves before the successor serves")
	}
	if err := taken.Serving(); err != nil {
		t.Fatal(err)
	}
	<-first.Taken()
	second := offer(t, path, taken.Listeners)
	old.Close()
	first.Close()
	reaches(t, taken.Listeners[handover.Public])
	third := take(t, path) // the file is the successor's now
	if err := third.Serving(); err != nil {
		t.Error(err)
	}
	<-second.Taken()
	second.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file stays: %v", err)
	}
}

func TestASuccessorThatDiesChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	o := offer(t, path, sockets(t))
	take(t, path).Close()
	taken := take(t, path)
	if !open(o) {
		t.Error("the predecessor has left")
	}
	reaches(t, taken.Listeners[handover.Public])
}

func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	o := offer(t, path, sockets(t))
	first := take(t, path)
	var refused *handover.RefusedError
	if _, err := handover.Take(t.Context(), path); !errors.As(err, &refused) || !strings.Contains(err.Error(), "another process is taking over") {
		t.Errorf("the second: %v", err)
	}
	if err := first.Serving(); err != nil {
		t.Error(err)
	}
	<-o.Taken()
	if _, err := handover.Take(t.Context(), path); !errors.As(err, &refused) || !strings.Contains(err.Error(), "has taken over") {
		t.Errorf("the third: %v", err)
	}
}

// Whatever somebody says at the socket, the offer stays.
func TestGarbage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	o := offer(t, path, sockets(t))
	for say, want := range map[string]string{
		"": "", "\n": "", "GET / HTTP/1.1\r\n\r\n": "", strings.Repeat("x", 100_000): "", "{\"handover\":2}\n": "it speaks version 1", "{}\n": "it speaks version 1",
		"{\"handover\":1}\n{\"serving\":false}\n": "did not say that it serves",
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, say)
		_ = conn.(*net.UnixConn).CloseWrite()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		text, _ := io.ReadAll(conn)
		if !strings.Contains(string(text), want) {
			t.Errorf("%.40q: %q, want %q", say, text, want)
		}
		conn.Close()
	}
	if !open(o) {
		t.Error("the offer is taken")
	}
	defer take(t, path).Close()
}

func TestPlaces(t *testing.T) {
	folder := t.TempDir()
	stale := filepath.Join(folder, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as after a kill
	l.Close()
	if taken, err := handover.Take(t.Context(), stale); taken != nil || err != nil {
		t.Errorf("a stale file: %v %v", taken, err)
	}
	offer(t, stale, sockets(t))
	take(t, stale).Close()

	file := filepath.Join(folder, "notes.txt")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := handover.Take(t.Context(), file); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("take from a file: %v", err)
	}
	for path, want := range map[string]string{file: "is no socket", folder: "is no socket", "/none/x.sock": "no such file", filepath.Join(folder, strings.Repeat("x", 90)): "too long"} {
		if _, err := handover.New(path, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if text, _ := os.ReadFile(file); string(text) != "mine" {
		t.Errorf("the file is %q", text)
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*.sock.*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestInherited(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	var addresses []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files, addresses = append(files, file), append(addresses, l.Addr().String())
	}
	one, two := addresses[0], addresses[1]
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct {
		files []*os.File
		env   []string
		want  string
	}{
		{files, []string{"LISTEN_FDS=2"}, "admin=" + two + " public=" + one + " <nil>"},
		{files, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=admin:public"}, "admin=" + one + " public=" + two + " <nil>"},
		{files[:1], []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=strangler.socket"}, "public=" + one + " <nil>"},
		{files[:1], []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=admin"}, "admin=" + one + " <nil>"},
		{files, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=public:public"}, "two sockets of LISTEN_FDNAMES are public"},
		{files, []string{"LISTEN_FDS=2", "LISTEN_PID=1"}, "<nil>"},
		{nil, nil, "<nil>"},
		{files, []string{"LISTEN_FDS=7"}, "LISTEN_FDS=7: at most two sockets are taken, public and admin"},
		{files, []string{"LISTEN_FDS=many"}, "LISTEN_FDS=many: at most two sockets are taken, public and admin"},
		{[]*os.File{null}, []string{"LISTEN_FDS=1"}, "socket public of LISTEN_FDS: "},
	} {
		cmd := exec.Command(exe)
		cmd.Env = append(append(os.Environ(), "STRANGLER_TEST_INHERIT=1"), c.env...)
		cmd.ExtraFiles = c.files
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), c.want) {
			t.Errorf("%v: %q (%v), want %q", c.env, out, err, c.want)
		}
	}
}
