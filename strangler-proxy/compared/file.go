package compared

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stranglerfig/toolkit/compare/report"
	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

const (
	limitFile = 16 << 20         // what the file may have
	limitLock = 10 * time.Second // how long to wait for others who write it
)

// Read returns what the file at path holds: nothing if there is no such file.
func Read(path string) (*File, error) {
	empty := &File{Schema: 1, Routes: map[string]Entry{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limitFile+1))
	if err != nil {
		return nil, err
	}
	var file File
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	switch err := decoder.Decode(&file); {
	case len(text) > limitFile:
		return nil, fmt.Errorf("%s is larger than 16 MiB", path)
	case err != nil:
		return nil, fmt.Errorf("%s holds no comparisons of routes: %w", path, err)
	case file.Schema != 1:
		return nil, fmt.Errorf("%s has schema %d, this program knows 1", path, file.Schema)
	}
	if file.Routes == nil {
		file.Routes = empty.Routes
	}
	return &file, nil
}

// Note writes to the file at path what a report says about the routes of cfg. Several
// processes may note at a time.
func Note(path string, cfg *config.Config, r *report.Report) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := filelock.WaitFor(folder, path, limitLock); err != nil {
		return fmt.Errorf("wait for others who write: %w", err)
	}
	file, err := Read(path)
	if err != nil {
		return err
	}
	if !file.add(cfg, r) {
		return nil
	}
	return file.write(path)
}

// write replaces the file in one step. Losing it to a crash loses a hint, so it is not
// forced to the disk.
func (f *File) write(path string) error {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	temp := path + ".new" // the lock makes it ours, and that of a writer who was killed
	defer os.Remove(temp) //nolint:errcheck // it is gone once renamed
	if err := os.WriteFile(temp, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
