package crashpoint

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Run runs a program to its end, which the fault may bring about. It may be called by
// several goroutines at once.
func Run(p Program, f Fault) (Result, error) {
	if f.Error != 0 && !canFail {
		return Result{}, ErrUnsupported
	}
	runtime.LockOSThread() // ptrace is between threads
	defer runtime.UnlockOSThread()
	t := &tracer{fault: f, threads: map[int]*thread{}}
	if err := t.start(p); err != nil {
		return Result{}, err
	}
	err := t.loop()
	if err != nil {
		syscall.Kill(t.pid, syscall.SIGKILL)         //nolint:errcheck // it may be gone
		syscall.Wait4(t.pid, nil, syscall.WALL, nil) //nolint:errcheck // likewise
		err = fmt.Errorf("trace %s: %w", p.Path, err)
	}
	return t.result, err
}

// A tracer is one program that is run.
type tracer struct {
	fault   Fault
	pid     int
	threads map[int]*thread
	calm    bool // On has ended
	result  Result
}

// A thread is one of the program's threads.
type thread struct {
	failing bool // its present call was skipped
}

func (t *tracer) start(p Program) error {
	log, err := os.Create(p.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	env := p.Env
	if env == nil {
		env = os.Environ()
	}
	t.pid, err = syscall.ForkExec(p.Path, append([]string{p.Path}, p.Args...), &syscall.ProcAttr{
		Env: env, Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true}, // a group of its own: others wait for theirs
	})
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		return fmt.Errorf("%w (%w)", ErrUnsupported, err)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Path, err)
	}
	var s syscall.WaitStatus
	if _, err := wait(t.pid, &s); err != nil {
		return fmt.Errorf("start %s: %w", p.Path, err)
	}
	t.threads[t.pid] = &thread{}
	const options = syscall.PTRACE_O_TRACESYSGOOD | syscall.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := syscall.PtraceSetOptions(t.pid, options); err != nil {
		syscall.Kill(t.pid, syscall.SIGKILL) //nolint:errcheck // it may be gone
		return fmt.Errorf("%w (%w)", ErrUnsupported, err)
	}
	return t.goOn(t.pid, 0)
}

func wait(pid int, s *syscall.WaitStatus) (int, error) {
	for {
		got, err := syscall.Wait4(pid, s, syscall.WALL, nil)
		if !errors.Is(err, syscall.EINTR) {
			return got, err
		}
	}
}

// goOn lets a thread run to its next call, or back from it. One that is gone meanwhile,
// because its process was killed, is reported by wait.
func (t *tracer) goOn(thread int, signal syscall.Signal) error {
	if err := syscall.PtraceSyscall(thread, int(signal)); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// loop follows all threads until the program has ended.
func (t *tracer) loop() error {
	for {
		var s syscall.WaitStatus
		id, err := wait(-t.pid, &s)
		if err != nil {
			return err
		}
		switch {
		case s.Exited() || s.Signaled():
			if id == t.pid {
				t.result.Killed, t.result.Code = s.Signaled(), s.ExitStatus()
				return nil
			}
			delete(t.threads, id)
		case s.Stopped():
			if err := t.stopped(id, s); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
}

func (t *tracer) stopped(id int, s syscall.WaitStatus) error {
	th := t.threads[id]
	signal := s.StopSignal()
	switch {
	case th == nil: // a new thread begins with a stop of its own
		t.threads[id] = &thread{}
		if signal == syscall.SIGSTOP {
			signal = 0
		}
		return t.goOn(id, signal)
	case signal == syscall.SIGTRAP|0x80:
		if err := t.call(id, th); err != nil {
			return err
		}
		return t.goOn(id, 0)
	case signal == syscall.SIGTRAP:
		return t.goOn(id, 0) // a thread was made, or the program began
	}
	return t.goOn(id, signal)
}

// call looks at a call that begins or ends.
func (t *tracer) call(id int, th *thread) error {
	if th.failing {
		th.failing = false
		return result(id, t.fault.Error)
	}
	c, err := callOf(id)
	if err != nil || !c.begins || !c.changes(id, t.fault.Under) {
		return err
	}
	t.result.Calls++
	if !t.strikes() {
		return nil
	}
	t.result.Struck = true
	if t.fault.Error == 0 {
		return syscall.Kill(t.pid, syscall.SIGKILL)
	}
	th.failing = true
	return skip(id)
}

// strikes reports whether the present call is to meet the fault.
func (t *tracer) strikes() bool {
	f := t.fault
	switch {
	case f.N == 0 || t.result.Calls < f.N || t.calm:
		return false
	case t.result.Calls == f.N:
		return true
	case !f.On:
		return false
	}
	t.calm = f.Until != nil && f.Until()
	return !t.calm
}
