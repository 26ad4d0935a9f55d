package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
)

// ErrChanged reports that the file on disk is no longer the one that was read.
var ErrChanged = errors.New("the file was changed by someone else meanwhile")

// ReadFile reads a file of at most LimitBytes; a larger one is an error, found
// without reading it whole.
func ReadFile(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil {
		switch {
		case info.IsDir():
			return nil, fmt.Errorf("%s is a directory", path)
		case !info.Mode().IsRegular(): // opening a pipe would block
			return nil, fmt.Errorf("%s is not a regular file: it could not be read again and again", path)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	source, err := io.ReadAll(io.LimitReader(f, LimitBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(source) > LimitBytes {
		return nil, fmt.Errorf("%s: the file is larger than %d MiB, as none need be: is it the right one?", path, LimitBytes>>20)
	}
	return source, nil
}

// Replace writes after to path if path still holds before, else it returns
// ErrChanged. A symbolic link is followed; the file's mode is kept. Readers see the
// old file or the new one, never a part, also after a crash.
func Replace(path string, before, after []byte) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o222 == 0 {
		// A rename would not mind, but the owner's wish is clear.
		return fmt.Errorf("%s: %w: the file is read-only", path, os.ErrPermission)
	}
	temp, err := os.CreateTemp(filepath.Dir(target), tempPattern(target))
	if err != nil {
		return fmt.Errorf("write beside %s: %w", target, err)
	}
	defer os.Remove(temp.Name()) // gone after the rename
	defer temp.Close()
	keepOwner(temp, info)
	if err := write(temp, after, info.Mode()); err != nil {
		return err
	}
	now, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, before) {
		return fmt.Errorf("%s: %w", path, ErrChanged)
	}
	if err := os.Rename(temp.Name(), target); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(target))
}

// tempPattern names the files that Replace writes before the rename.
func tempPattern(target string) string { return "." + filepath.Base(target) + ".*.new" }

// sweep removes what writers that were killed have left. The caller holds the lock, so
// nobody is at work on any of them.
func sweep(target string) {
	folder, name := escapeGlob(filepath.Dir(target)), escapeGlob(filepath.Base(target))
	left, _ := filepath.Glob(filepath.Join(folder, "."+name+".*.new"))
	for _, path := range left {
		_ = os.Remove(path) // the next one tries again
	}
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

func write(f *os.File, data []byte, mode os.FileMode) error {
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", f.Name(), err)
	}
	if err := f.Chmod(mode.Perm()); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", f.Name(), err)
	}
	return f.Close()
}

// syncFolder makes the rename itself durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// Update reads the file at path, lets edit change it and writes the result, while
// other callers of Update wait. A file that someone else changes meanwhile is left
// alone: the error is ErrChanged. An edit that returns its argument writes nothing.
//
// Whoever else edits takes milliseconds. One that does not let go, because somebody has
// stopped it, makes the error a *filelock.BusyError, which names it.
func Update(path string, edit func(before []byte) (after []byte, err error)) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	unlock, err := lockFolder(target, limitLock)
	if err != nil {
		return err
	}
	defer unlock()
	sweep(target)
	return update(path, edit)
}

// How long Update and UpdateUrgently wait for others who edit.
const (
	limitLock   = 10 * time.Second
	limitUrgent = 250 * time.Millisecond
)

// UpdateUrgently is Update that does not wait for long: then it does without the others'
// consent. What they have written by the time of its own write is still noticed.
func UpdateUrgently(path string, edit func(before []byte) (after []byte, err error)) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	unlock, err := lockFolder(target, limitUrgent)
	switch {
	case err == nil:
		defer unlock()
	case !errors.Is(err, filelock.ErrHeld):
		return err
	}
	return update(path, edit)
}

func update(path string, edit func(before []byte) (after []byte, err error)) error {
	before, err := ReadFile(path)
	if err != nil {
		return err
	}
	after, err := edit(before)
	if err != nil || bytes.Equal(before, after) {
		return err
	}
	return Replace(path, before, after)
}

// Writable reports why Update could not replace the file at path. It writes nothing to
// it, but a file beside it that is gone at once.
func Writable(path string) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return err
	case info.Mode().Perm()&0o222 == 0:
		return fmt.Errorf("%s: %w: the file is read-only", path, os.ErrPermission)
	}
	temp, err := os.CreateTemp(filepath.Dir(target), tempPattern(target))
	if err != nil {
		return fmt.Errorf("write beside %s: %w", target, err)
	}
	temp.Close()
	return os.Remove(temp.Name())
}
