//go:build unix

package record

import (
	"os"
	"syscall"
)

// askGroup asks every process of a command's group to end.
func askGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGTERM) }

// killGroup ends every process of a command's group, those the command left behind, too.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
