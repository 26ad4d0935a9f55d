// Package shoptest is a test kit: it builds the programs and runs them as real
// processes on free ports for the tests that need the shop as a whole. It keeps
// nothing outside the folder it is given and leaves no process behind.
package shoptest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// stripped leaves out what only debuggers read: linking takes half the time.
const stripped = "-ldflags=-s -w"

// Build builds the programs cmd/<name> into dir.
func Build(ctx context.Context, dir string, programs ...string) error {
	args := []string{"build", stripped, "-o", dir + string(filepath.Separator)}
	for _, name := range programs {
		args = append(args, "github.com/stranglerfig/toolkit/cmd/"+name)
	}
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %v: %w\n%s", programs, err, out)
	}
	return nil
}

// BuildTests compiles the tests of the package (an import path below the module)
// into the file to.
func BuildTests(ctx context.Context, to, pkg string) error {
	out, err := exec.CommandContext(ctx, "go", "test", stripped, "-c", "-o", to, "github.com/stranglerfig/toolkit/"+pkg).CombinedOutput()
	if err != nil {
		return fmt.Errorf("compile the tests of %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// A Process is a running program. Its methods may be used by several goroutines.
type Process struct {
	// URL is the first address the program said it listens on.
	URL string

	cmd    *exec.Cmd
	output *output
	done   chan struct{}
}

// Start runs the program at path and waits until it has printed its address and
// answers GET /healthz there with 200. The caller calls Stop, or Kill.
func Start(ctx context.Context, path string, args ...string) (*Process, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, args...) // it runs until Stop
	cmd.SysProcAttr = bound()
	p := &Process{cmd: cmd, output: &output{found: make(chan string, 1)}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(path), err)
	}
	go func() {
		_ = cmd.Wait() // its end is what matters; the output says why
		close(p.done)
	}()
	if err := p.ready(ctx); err != nil {
		p.Kill()
		return nil, fmt.Errorf("start %s: %w\n%s", filepath.Base(path), err, p.output.tail())
	}
	return p, nil
}

func (p *Process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	select {
	case p.URL = <-p.output.found:
	case <-p.done:
		return errors.New("it ended")
	case <-ctx.Done():
		return errors.New("it printed no address")
	}
	for {
		if answers(ctx, p.URL+"/healthz") {
			return nil
		}
		select {
		case <-p.done:
			return errors.New("it ended")
		case <-ctx.Done():
			return fmt.Errorf("%s/healthz: no answer", p.URL)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answers reports whether url answers with 200.
func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil && res.StatusCode == http.StatusOK
}

// Stop asks the process to end, waits, and kills it if it takes over 15 seconds.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		p.Kill()
		return fmt.Errorf("%s: did not stop within 15 s\n%s", filepath.Base(p.cmd.Path), p.output.tail())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s: exit code %d\n%s", filepath.Base(p.cmd.Path), code, p.output.tail())
	}
	return nil
}

// Kill ends the process at once, as a crash would, and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// Output returns the last lines that the process printed.
func (p *Process) Output() string { return p.output.tail() }

// address matches what a program prints about where it listens, after its name or
// "ready on"; log lines may name other addresses before.
var address = regexp.MustCompile(`(?m)(?:ready on|^proxy) +http://(127\.0\.0\.1:[1-9][0-9]*)`)

// output keeps the end of what a process prints and looks for its address.
type output struct {
	mu    sync.Mutex
	text  []byte
	found chan string
	sent  bool
}

const outputBytes = 64 << 10

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if !o.sent {
		if at := address.FindSubmatch(o.text); at != nil {
			o.sent = true
			o.found <- "http://" + string(at[1])
		}
	}
	if len(o.text) > outputBytes {
		o.text = append([]byte(nil), o.text[len(o.text)-outputBytes:]...)
	}
	return len(p), nil
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text[max(0, len(o.text)-4<<10):])
}

// StartMonolith starts the monolith of the folder bin with a new, seeded database
// in the folder data, and with args.
func StartMonolith(ctx context.Context, bin, data string, args ...string) (*Process, error) {
	return Start(ctx, filepath.Join(bin, "monolith"), append([]string{
		"serve", "--addr", "127.0.0.1:0",
		"--db", filepath.Join(data, "monolith.db"), "--notifications", filepath.Join(data, "notifications.jsonl"),
		"--seed-scale", "1", "--password-memory", "64", "--log-format", "json", "--log-level", "warn",
	}, args...)...)
}

// TempDir makes a folder for a whole test program, where t.TempDir cannot be used,
// and returns a function that removes it.
func TempDir() (string, func() error, error) {
	dir, err := os.MkdirTemp("", "shoptest-")
	if err != nil {
		return "", nil, fmt.Errorf("make a folder: %w", err)
	}
	return dir, func() error { return os.RemoveAll(dir) }, nil
}
