//go:build !unix

package record

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

func askGroup(p *os.Process) { _ = p.Signal(os.Interrupt) }

func killGroup(p *os.Process) { _ = p.Kill() }
