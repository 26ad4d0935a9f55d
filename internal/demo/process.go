package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
)

const (
	stopLimit  = 15 * time.Second // a program that takes longer to stop is killed
	logKeep    = 10 << 20         // a larger log is put aside as .log.1 at the start
	healthLook = 25 * time.Millisecond
)

// A process is one program of the demo. It is used by one goroutine; only the one
// that waits for its end is another.
type process struct {
	name, path string
	args       []string
	dir        string
	health     string        // answers 200 once the program is ready
	limit      time.Duration // from start to ready

	cmd     *exec.Cmd
	done    chan struct{} // closed once the process has ended
	logFrom int64         // where this run begins in the log file
}

func (p *process) logFile() string { return filepath.Join(p.dir, "logs", p.name+".log") }
func (p *process) pidFile() string { return filepath.Join(p.dir, p.name+".pid") }

// commandLine is what a person types to start the program by hand.
func (p *process) commandLine() string {
	return shellWords(append([]string{relative(p.path)}, p.args...))
}

// start starts the process; ended is told when it is over. The calling goroutine
// must be locked to its thread: the process dies with that thread.
func (p *process) start(ended chan<- *process) error {
	log, err := p.openLog()
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...) //nolint:noctx // it is stopped gracefully, in order, by stop
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() {
		cmd.Wait() //nolint:errcheck // how it ended is read from ProcessState
		os.Remove(p.pidFile())
		close(done)
		ended <- p
	}()
	if err := os.WriteFile(p.pidFile(), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", p.name, err), p.stop())
	}
	return nil
}

func (p *process) openLog() (*os.File, error) {
	if info, err := os.Stat(p.logFile()); err == nil && info.Size() > logKeep {
		if err := os.Rename(p.logFile(), p.logFile()+".1"); err != nil {
			return nil, fmt.Errorf("put the log of %s aside: %w", p.name, err)
		}
	}
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", p.name, err)
	}
	info, err := log.Stat()
	if err != nil {
		log.Close()
		return nil, fmt.Errorf("log of %s: %w", p.name, err)
	}
	p.logFrom = info.Size()
	return log, nil
}

func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// waitReady waits until the program answers on its health address.
func (p *process) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.limit, fmt.Errorf("%s was not ready after %s; see %s", p.name, p.limit, p.logFile()))
	defer cancel()
	for !healthy(ctx, p.health) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.done:
			return p.explainEnd()
		case <-time.After(healthLook):
		}
	}
	if !p.running() { // somebody else answered
		return p.explainEnd()
	}
	return nil
}

// explainEnd says why the program ended before it was ready: with its own last
// words and its exit code, if it has any.
func (p *process) explainEnd() error {
	code := p.cmd.ProcessState.ExitCode()
	if code <= 0 {
		code = program.Unreachable
	}
	words := p.lastWords()
	if words == "" {
		words = fmt.Sprintf("%s ended (%s); see %s", p.name, p.cmd.ProcessState, p.logFile())
	}
	return &program.Error{Code: code, Err: errors.New(words)}
}

// lastWords returns what this run wrote for people: all but the lines of the log
// proper, which are JSON.
func (p *process) lastWords() string {
	data, err := os.ReadFile(p.logFile())
	if err != nil || int64(len(data)) <= p.logFrom {
		return ""
	}
	var plain []string
	for line := range strings.Lines(string(data[p.logFrom:])) {
		if line = strings.TrimRight(line, "\r\n"); line != "" && !strings.HasPrefix(line, "{") {
			plain = append(plain, strings.TrimPrefix(line, "strangler: "))
		}
	}
	return strings.Join(plain, "\n")
}

// stop asks the process to end, kills it after a while, and returns once it is over.
func (p *process) stop() error {
	if !p.running() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopLimit):
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return fmt.Errorf("%s did not stop within %s and was killed", p.name, stopLimit)
}

var healthClient = &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func healthy(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := healthClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// relative shortens a path below the working folder, for texts.
func relative(path string) string {
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(dir, path)
	if err != nil || strings.HasPrefix(short, "..") {
		return path
	}
	if !strings.Contains(short, string(filepath.Separator)) {
		return "./" + short
	}
	return short
}

func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if strings.ContainsAny(w, " \t\n'\"\\$`*?&;|<>()[]{}#~!") || w == "" {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		quoted[i] = w
	}
	return strings.Join(quoted, " ")
}
