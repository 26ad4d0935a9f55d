package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// An Other is a program that somebody else started for a demo and whose process id was
// left in the demo's folder, as the tutorial does with "strangler split run".
type Other struct {
	Name    string // of its file, without .pid
	PID     int
	Stopped bool // by StopOthers; programs of other folders than this one are left alone
}

func (o Other) String() string {
	if o.Stopped {
		return fmt.Sprintf("stopped %s, too (process %d)", o.Name, o.PID)
	}
	return fmt.Sprintf("left %s alone (process %d): it is none of the demo's programs", o.Name, o.PID)
}

// StopOthers stops the other programs for the demo in dir that lie in the folder of this
// program. Nobody told the demo of them, but without the demo they work on nothing.
func StopOthers(ctx context.Context, dir string) ([]Other, error) {
	self := folderOf(os.Getpid())
	files, err := filepath.Glob(filepath.Join(dir, "*.pid"))
	if err != nil {
		return nil, fmt.Errorf("look for programs in %s: %w", dir, err)
	}
	var others []Other
	for _, file := range files {
		other := Other{Name: strings.TrimSuffix(filepath.Base(file), ".pid"), PID: readPID(file)}
		if other.PID == 0 {
			continue
		}
		if self != "" && folderOf(other.PID) == self {
			if err := stopProcess(ctx, other.PID); err != nil {
				return others, fmt.Errorf("stop %s: %w", other.Name, err)
			}
			other.Stopped = true
			_ = os.Remove(file) // a stale one does no harm
		}
		others = append(others, other)
	}
	return others, nil
}

// folderOf is where the program of a process lies, or "" where the system does not say.
func folderOf(pid int) string {
	exe, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	if err != nil {
		return ""
	}
	return filepath.Dir(strings.TrimSuffix(exe, " (deleted)"))
}

// stopProcess asks a process to end, waits, and kills it if it takes too long.
func stopProcess(ctx context.Context, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("ask process %d to end: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	for syscall.Kill(pid, 0) == nil {
		if pause(ctx) != nil {
			return syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return nil
}
