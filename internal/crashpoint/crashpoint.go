// Package crashpoint runs a program and ends it, or lets a call fail, at its N-th system
// call that changes a file: what a power cut, a full disk or a broken one does, at every
// point where it could, one after another. It is a test kit.
//
// It traces the program with ptrace, so it needs Linux, and amd64 to let calls fail. It
// does not cover what needs no call: writes to mapped memory (SQLite's index of its
// write-ahead log), and writes that the system had taken and a power cut would lose; the
// program that is killed leaves all that it wrote to the system.
package crashpoint

import "errors"

// ErrUnsupported reports that this system does not let a program be traced.
var ErrUnsupported = errors.New("programs cannot be traced here: it takes Linux 5.3 and the right to use ptrace")

// A Program is what is run.
type Program struct {
	Path string
	Args []string // without the program's name
	Env  []string // nil: this process's
	Log  string   // a file for what it prints
}

// A Fault says what goes wrong. The zero value lets all go well, and counts.
type Fault struct {
	// Under is a folder, or the beginning of a file's path: only calls that change a file
	// there count.
	Under string
	// N is the call that it happens at, from 1. 0: never.
	N int
	// Error is what that call returns instead of being made; 0: the program is killed
	// before it.
	Error int
	// On lets every call that counts fail after the N-th, too.
	On bool
	// Until ends On once it returns true; nil: never.
	Until func() bool
}

// A Result says how the program went.
type Result struct {
	Calls  int  // that counted
	Struck bool // the fault has happened
	Killed bool // the program was, by anybody
	Code   int  // its exit code, if it was not
}
