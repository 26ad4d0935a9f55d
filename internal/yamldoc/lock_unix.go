//go:build unix

package yamldoc

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
)

// lockFolder keeps other editors of the file at path out, if they are of this program.
// The lock is that of the folder, for the file itself is replaced; it ends with the
// process. One that does not come free in time is a *filelock.BusyError.
func lockFolder(path string, limit time.Duration) (unlock func(), err error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := filelock.WaitFor(folder, path, limit); err != nil {
		folder.Close()
		return nil, fmt.Errorf("wait for others who edit: %w", err)
	}
	return func() { folder.Close() }, nil
}

// keepOwner gives f the owner of the file that it will replace, if that is allowed.
func keepOwner(f *os.File, info os.FileInfo) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(stat.Uid), int(stat.Gid)) // only root may; the content matters more
	}
}
