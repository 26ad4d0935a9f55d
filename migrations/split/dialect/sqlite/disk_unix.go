//go:build unix

package sqlite

import "golang.org/x/sys/unix"

// freeBytes is the room that is left for ordinary users on the disk that holds folder.
func freeBytes(folder string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert // the types differ between systems
}
