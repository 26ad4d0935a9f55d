//go:build !linux

package filelock

import "os"

// holderOf is not known on this system.
func holderOf(*os.File) int { return 0 }

func describe(int) (name string, stopped bool) { return "unknown", false }
