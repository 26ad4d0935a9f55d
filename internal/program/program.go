// Package program is the frame around every main: signals, exit codes, and one
// clear line for an error. It never starts goroutines that outlive Main.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes, the same in every program.
const (
	OK          = 0   // done
	Differs     = 1   // found differences, or a check failed
	Usage       = 2   // usage, bad config, or a precondition the user can mend; nothing was changed
	Unreachable = 3   // could not reach or run what was asked for
	Refused     = 4   // refused by a guard
	Interrupted = 130 // Ctrl-C
)

// An Error carries the exit code of the program and the remedy the user should
// try. Err says what happened and to what.
type Error struct {
	Code   int
	Err    error
	Remedy string // one sentence or command; empty if there is none
}

func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + "; " + e.Remedy
}

// Unwrap lets errors.Is and errors.As see the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fail returns an *Error with code, the remedy and a formatted cause (%w works).
func Fail(code int, remedy, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...), Remedy: remedy}
}

// Code returns the exit code for err: 0 for nil, the code of an *Error, 130 for
// an interrupted context, otherwise Unreachable.
func Code(err error) int {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return Interrupted
	}
	return Unreachable
}

// Run calls run with a context that ends at the first SIGINT or SIGTERM; a second
// signal ends the process at once. The error is printed as one line "name: error".
// It returns the exit code; main passes it to os.Exit.
func Run(name string, stderr io.Writer, run func(ctx context.Context) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // from here on a second signal has its default effect
	err := run(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
	}
	return Code(err)
}

// Listen explains a failed listen on addr: who may hold the port and what to do.
func Listen(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return Fail(Usage, "stop the program that uses it or choose another address", "address %s is already in use", addr)
	}
	return Fail(Usage, "give an address of this machine as host:port", "listen on %s: %w", addr, err)
}
