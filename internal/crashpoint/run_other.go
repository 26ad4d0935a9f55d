//go:build !linux

package crashpoint

// Run is not supported here.
func Run(Program, Fault) (Result, error) { return Result{}, ErrUnsupported }
