//go:build unix

package yamldoc

import (
	"fmt"
	"os"
	"syscall"
)

// lockFolder keeps other editors of this program out. The lock ends with the process.
func lockFolder(path string) (unlock func(), err error) {
	folder, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		folder.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { folder.Close() }, nil
}

// keepOwner gives f the owner of the file that it will replace, if that is allowed.
func keepOwner(f *os.File, info os.FileInfo) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(stat.Uid), int(stat.Gid)) // only root may; the content matters more
	}
}
