//go:build linux

package listen_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets this program be a process with few file descriptors.
func TestMain(m *testing.M) {
	if os.Getenv("STRANGLER_TEST_FEW_FILES") != "" {
		// The process has a dozen open; the rest is for clients.
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 40, Max: 40}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// Without free file descriptors nothing is accepted, nothing spins and the log stays
// short; once there are some again, whoever waits is served.
func TestWithoutFileDescriptors(t *testing.T) {
	if os.Getenv("STRANGLER_TEST_FEW_FILES") != "" {
		h := open(t, plain(), nil)
		fmt.Println("ADDRESS", h.Addr())
		_, _ = io.Copy(io.Discard, os.Stdin)
		fmt.Println("FAILED", metric(t, h.Door, "strangler_accept_errors_total"), "LINES", strings.Count(h.log.String(), "no connection can be accepted"))
		return
	}
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run", "^TestWithoutFileDescriptors$", "-test.v")
	cmd.Env = append(os.Environ(), "STRANGLER_TEST_FEW_FILES=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewScanner(stdout)
	var address string
	for address == "" && out.Scan() {
		_, _ = fmt.Sscanf(out.Text(), "ADDRESS %s", &address)
	}
	var conns []net.Conn
	for range 60 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	time.Sleep(1500 * time.Millisecond) // how often it tries and logs in that time is the question
	last := conns[len(conns)-1]
	_, _ = io.WriteString(last, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	for _, conn := range conns[:30] {
		conn.Close()
	}
	_ = last.SetDeadline(time.Now().Add(10 * time.Second))
	if got := answer(t, last); got != "HTTP/1.1 tls=false" {
		t.Errorf("got %q", got)
	}
	stdin.Close()
	var failed float64
	var lines int
	for out.Scan() {
		_, _ = fmt.Sscanf(out.Text(), "FAILED %f LINES %d", &failed, &lines)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if failed < 5 || failed > 60 || lines < 1 || lines > 4 {
		t.Errorf("%v failures in 1.5 s, %d lines in the log", failed, lines)
	}
}
