package tutorial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// errTimeout reports that a block did not come to its end in time.
var errTimeout = errors.New("still running")

// ownerVariable marks every process that a shell starts, so that those which left
// its process group can be found as well.
const ownerVariable = "STRANGLER_TUTORIAL_OWNER"

// A Shell is one bash that blocks are typed into. It is for one goroutine.
type Shell struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	output  *os.File
	chunks  chan []byte // what the shell prints; closed when nobody can print any more
	pending []byte
	mark    string
	scratch string
	janitor *janitor
	ended   bool
}

// NewShell starts a bash in dir with exactly the environment env. Close ends it and
// every process that was started in it.
func NewShell(dir string, env []string) (*Shell, error) {
	mark := uuid.NewString()
	scratch, err := os.MkdirTemp("", "tutorial-shell-")
	if err != nil {
		return nil, fmt.Errorf("start shell: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), "bash", "--noprofile", "--norc")
	cmd.Dir = dir
	cmd.Env = append(append([]string{}, env...), ownerVariable+"="+mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start shell: %w", err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start shell: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start shell: %w", err)
	}
	write.Close()
	s := &Shell{cmd: cmd, stdin: stdin, output: output, chunks: make(chan []byte), mark: mark, scratch: scratch}
	go s.read()
	if s.janitor, err = startJanitor(cmd.Process.Pid, ownerVariable+"="+mark); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// read hands on what the shell and its children print until all of them are gone.
func (s *Shell) read() {
	defer close(s.chunks)
	defer s.output.Close()
	for {
		buf := make([]byte, 4096)
		n, err := s.output.Read(buf)
		if n > 0 {
			s.chunks <- buf[:n]
		}
		if err != nil {
			return
		}
	}
}

// Run types command and returns what it printed, on either stream, and the exit code
// of its first command that did not end with 0. After an error the shell is of no
// further use.
func (s *Shell) Run(command string, timeout time.Duration) (output string, code int, err error) {
	if s.ended {
		return "", 0, errors.New("the shell has ended")
	}
	file := filepath.Join(s.scratch, "block")
	if err := os.WriteFile(file, []byte(command), 0o600); err != nil {
		return "", 0, fmt.Errorf("write block: %w", err)
	}
	end := "\x1e" + s.mark + " "
	_, err = fmt.Fprintf(s.stdin, `__code=0; trap '__last=$?; ((__code)) || __code=$__last' ERR
eval "$(cat %q)" </dev/null; __last=$?; ((__code)) || __code=$__last; trap - ERR; printf '\x1e%s %%d\n' $__code
`, file, s.mark)
	if err != nil {
		s.ended = true
		return "", 0, fmt.Errorf("the shell has ended: %w", err)
	}
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	for {
		if before, after, ok := bytes.Cut(s.pending, []byte(end)); ok {
			if number, rest, ok := bytes.Cut(after, []byte("\n")); ok {
				s.pending = bytes.Clone(rest)
				code, err := strconv.Atoi(string(number))
				return string(before), code, err
			}
		}
		select {
		case chunk, ok := <-s.chunks:
			s.pending = append(s.pending, chunk...)
			if !ok {
				s.ended = true
				return string(s.pending), 0, errors.New("the shell has ended before the block did")
			}
		case <-deadline.C:
			s.ended = true
			return string(s.pending), 0, fmt.Errorf("%w after %s", errTimeout, timeout)
		}
	}
}

// Close ends the shell and every process that was started in it, and waits until
// they are gone.
func (s *Shell) Close() error {
	var err error
	if s.janitor != nil {
		err = s.janitor.clean()
	}
	_ = s.cmd.Process.Kill()
	s.stdin.Close()
	giveUp := time.AfterFunc(10*time.Second, func() { s.output.Close() })
	defer giveUp.Stop()
	for range s.chunks { // until the last holder of the pipe is gone
	}
	_ = s.cmd.Wait() // it was killed: that is no news
	return errors.Join(err, os.RemoveAll(s.scratch))
}

// A janitor is a small process beside the test which ends a shell and all that was
// started in it. It also does so when the test itself is killed: then its standard
// input closes.
type janitor struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bytes.Buffer
}

const janitorScript = `
trap '' INT TERM HUP
read -r _
kill -KILL -- "-$1" 2>/dev/null
[ -d /proc/self ] || exit 0
for try in $(seq 50); do
  found=$(grep -lszxF -- "$2" /proc/[0-9]*/environ)
  [ -n "$found" ] || exit 0
  for file in $found; do
    pid=${file#/proc/}
    kill -KILL "${pid%/environ}" 2>/dev/null
  done
  sleep 0.1
done
echo "processes that cannot be killed: $found"
exit 1
`

func startJanitor(group int, owner string) (*janitor, error) {
	j := &janitor{out: &bytes.Buffer{}}
	j.cmd = exec.CommandContext(context.Background(), "bash", "--noprofile", "--norc", "-c", janitorScript, "janitor", strconv.Itoa(group), owner)
	j.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	j.cmd.Stdout, j.cmd.Stderr = j.out, j.out
	j.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C for the test does not reach it
	stdin, err := j.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start janitor: %w", err)
	}
	j.stdin = stdin
	if err := j.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start janitor: %w", err)
	}
	return j, nil
}

func (j *janitor) clean() error {
	j.stdin.Close()
	if err := j.cmd.Wait(); err != nil {
		return fmt.Errorf("end the processes of the chapter: %w: %s", err, strings.TrimSpace(j.out.String()))
	}
	return nil
}
