package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// A Command is a test command and how long it may take.
type Command struct {
	Args    []string
	Env     []string // all of it
	Dir     string   // empty is the working directory
	Timeout time.Duration
	Grace   time.Duration // between asking it to end and killing it; 0 means 5 s
	Stdout  io.Writer     // nil discards; a file is given to the command as it is
	Stderr  io.Writer
	Keep    bool // leave alone what the command left running when it ended by itself
}

// ErrTimeout reports that a command took longer than it may.
var ErrTimeout = errors.New("it took too long and was stopped")

// Run runs the command in a process group of its own until it ends, ctx ends or its time is
// over, and then ends whatever is left of the group. The exit code of a command that ended
// by itself is no error.
func (c *Command) Run(ctx context.Context) (exitCode int, err error) {
	if len(c.Args) == 0 {
		return -1, errors.New("no test command; give it after --")
	}
	// Pdeathsig is about the thread that starts the command: it must live as long.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(c.Args[0], c.Args[1:]...) //nolint:noctx // ended below, as a group
	cmd.Env, cmd.Dir, cmd.SysProcAttr = c.Env, c.Dir, ownGroup()
	out, err := newPipes(cmd, c.Stdout, c.Stderr)
	if err != nil {
		return -1, err
	}
	if err := cmd.Start(); err != nil {
		out.abandon()
		return -1, fmt.Errorf("run %s: %w", c.Args[0], err)
	}
	out.started()
	ended := make(chan struct{})
	watched := make(chan error, 1)
	go func() { watched <- c.watch(ctx, cmd.Process, ended) }()
	waitErr := cmd.Wait()
	close(ended)
	why := <-watched
	if why != nil || !c.Keep {
		killGroup(cmd.Process)
	}
	out.wait()
	if why != nil {
		return -1, why
	}
	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) {
		return -1, fmt.Errorf("run %s: %w", c.Args[0], waitErr)
	}
	return cmd.ProcessState.ExitCode(), nil
}

// watch ends the group when ctx ends or the time is over, first kindly.
func (c *Command) watch(ctx context.Context, p *os.Process, ended <-chan struct{}) error {
	var over <-chan time.Time
	if c.Timeout > 0 {
		timer := time.NewTimer(c.Timeout)
		defer timer.Stop()
		over = timer.C
	}
	var why error
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		why = ctx.Err()
	case <-over:
		why = fmt.Errorf("%s: %w (--timeout %s)", c.Args[0], ErrTimeout, c.Timeout)
	}
	askGroup(p)
	grace := time.NewTimer(max(c.Grace, 0))
	if c.Grace == 0 {
		grace.Reset(5 * time.Second)
	}
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
		killGroup(p)
	}
	return why
}

// pipes carry the output of a command. They are read to their end only after the group was
// ended: a process left behind must not hold the run up.
type pipes struct {
	ours, theirs []*os.File
	to           []io.Writer
	copied       sync.WaitGroup
}

func newPipes(cmd *exec.Cmd, stdout, stderr io.Writer) (*pipes, error) {
	p := &pipes{}
	for i, to := range [...]io.Writer{stdout, stderr} {
		ends := [...]*io.Writer{&cmd.Stdout, &cmd.Stderr}
		if f, ok := to.(*os.File); ok {
			*ends[i] = f
			continue
		}
		if to == nil {
			to = io.Discard
		}
		r, w, err := os.Pipe()
		if err != nil {
			p.abandon()
			return nil, fmt.Errorf("pipe: %w", err)
		}
		p.ours, p.theirs, p.to = append(p.ours, r), append(p.theirs, w), append(p.to, to)
		*ends[i] = w
	}
	return p, nil
}

func (p *pipes) started() {
	for i, r := range p.ours {
		p.theirs[i].Close()
		p.copied.Go(func() {
			_, _ = io.Copy(p.to[i], r) // what cannot be shown is lost; the run goes on
			_, _ = io.Copy(io.Discard, r)
		})
	}
}

// wait reads what is left; a process that left the group cannot keep it waiting for long.
func (p *pipes) wait() {
	for _, r := range p.ours {
		_ = r.SetReadDeadline(time.Now().Add(2 * time.Second))
	}
	p.copied.Wait()
	for _, r := range p.ours {
		r.Close()
	}
}

func (p *pipes) abandon() {
	for i := range p.ours {
		p.ours[i].Close()
		p.theirs[i].Close()
	}
}
