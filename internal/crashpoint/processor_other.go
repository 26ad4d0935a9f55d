//go:build linux && !amd64

package crashpoint

// canFail reports whether a call can be made to fail on this processor.
const canFail = false

func skip(int) error { return ErrUnsupported }

func result(int, int) error { return ErrUnsupported }

// path is where the path stands of a call that has no folder: here there is none.
func (c call) path() uintptr { return 0 }
