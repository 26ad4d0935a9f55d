//go:build !linux

package loop

import "context"

// Upstream is for Linux.
func Upstream(context.Context, string) error { return ErrUnsupported }

// Relay is for Linux.
func Relay(context.Context, string, string) error { return ErrUnsupported }

// Run is for Linux.
func (Load) Run(context.Context) (Result, error) { return Result{}, ErrUnsupported }
