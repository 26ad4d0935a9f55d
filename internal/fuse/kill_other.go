//go:build !linux

package fuse

import "time"

// A killer does nothing on this system.
type killer struct{}

func (killer) in(time.Duration) {}
func (killer) close()           {}
