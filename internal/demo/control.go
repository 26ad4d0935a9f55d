package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
)

// startSignal asks a running demo to start again what has stopped.
const startSignal = syscall.SIGUSR1

// controlLimit is how long stop waits for the demo to stop all programs.
const controlLimit = 4 * stopLimit

// A ProgramStatus is one program of a demo. State is "running", "stopped", or
// "foreign" for one that answers though the demo did not start it.
type ProgramStatus struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Ready   bool   `json:"ready"`
	PID     int    `json:"pid,omitempty"`
	Address string `json:"address"`
	Log     string `json:"log"`
}

// A Status is a demo and its programs. Programs is empty when it does not run.
type Status struct {
	Running  bool            `json:"running"`
	Ready    bool            `json:"ready"`
	PID      int             `json:"pid,omitempty"`
	Dir      string          `json:"dir"`
	Programs []ProgramStatus `json:"programs"`
}

// Look returns the status of the demo in dir.
func Look(ctx context.Context, dir string) (Status, error) {
	status := Status{Dir: dir, Programs: []ProgramStatus{}}
	st, err := runningState(dir)
	if errors.Is(err, errNotRunning) {
		return status, nil
	}
	if err != nil {
		return status, err
	}
	status.Running, status.Ready, status.PID = true, st.Ready, st.PID
	addresses := map[string]string{Monolith: st.Monolith, Recommendations: st.Recommendations, Reviews: st.Reviews, Catalog: st.Catalog, Proxy: st.Proxy}
	for _, p := range st.options(dir).programs() {
		one := ProgramStatus{
			Name: p.name, State: "stopped", PID: readPID(p.pidFile()),
			Ready: healthy(ctx, p.health), Address: "http://" + addresses[p.name], Log: p.logFile(),
		}
		switch {
		case one.PID != 0:
			one.State = "running"
		case one.Ready:
			one.State = "foreign"
		}
		status.Programs = append(status.Programs, one)
	}
	return status, nil
}

// Stop stops the demo in dir and waits until it is over. It reports whether one ran.
func Stop(ctx context.Context, dir string) (bool, error) {
	st, err := runningState(dir)
	if errors.Is(err, errNotRunning) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := syscall.Kill(st.PID, syscall.SIGTERM); err != nil {
		return false, fmt.Errorf("stop the demo (process %d): %w", st.PID, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, controlLimit, fmt.Errorf("the demo (process %d) did not stop within %s", st.PID, controlLimit))
	defer cancel()
	for {
		running, err := locked(dir)
		if err != nil || !running {
			return true, err
		}
		if err := pause(ctx); err != nil {
			return true, err
		}
	}
}

// Start asks the demo in dir to start again what has stopped, and waits until every
// program is ready.
func Start(ctx context.Context, dir string) error {
	st, err := runningState(dir)
	if err != nil {
		return err
	}
	if err := syscall.Kill(st.PID, startSignal); err != nil {
		return fmt.Errorf("ask the demo (process %d): %w", st.PID, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, controlLimit, fmt.Errorf("not every program was ready after %s; see the logs", controlLimit))
	defer cancel()
	for {
		status, err := Look(ctx, dir)
		if err != nil {
			return err
		}
		ready := status.Running
		for _, p := range status.Programs {
			ready = ready && p.Ready
		}
		if ready {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

var errNotRunning = errors.New("no demo is running")

// runningState returns the state of the demo that runs in dir, or errNotRunning.
func runningState(dir string) (state, error) {
	running, err := locked(dir)
	if err != nil {
		return state{}, err
	}
	if !running {
		return state{}, program.Fail(program.Usage, `start one with "strangler demo"`, "%w in %s", errNotRunning, dir)
	}
	return readState(dir)
}

func readPID(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(50 * time.Millisecond):
		return nil
	}
}

func (s Status) print(w io.Writer, format string) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	case "table":
	default:
		return program.Fail(program.Usage, "use table or json", "unknown output format %q", format)
	}
	if !s.Running {
		fmt.Fprintf(w, "no demo is running in %s\nnext: strangler demo\n", s.Dir)
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "PROGRAM\tSTATE\tREADY\tPID\tADDRESS\tLOG")
	stopped := false
	for _, p := range s.Programs {
		ready, pid := "no", "-"
		if p.Ready {
			ready = "yes"
		}
		if p.PID != 0 {
			pid = strconv.Itoa(p.PID)
		}
		stopped = stopped || p.State == "stopped"
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, p.State, ready, pid, p.Address, p.Log)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if stopped {
		fmt.Fprintln(w, "next: strangler demo start")
	}
	return nil
}
