// Package splits keeps beside a configuration file who owns the tables of each split, as
// the coordinator of the split said with its last flip: CONFIG.splits.json. The truth is
// in the databases; this is what a proxy knows of it when it starts again, and what keeps
// a late message from undoing a newer one: the epoch of a split only grows. A record is
// on disk before anything follows it, readers see all of it or nothing, and a file that
// cannot be read is an error, never an empty one.
package splits

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/internal/program"
)

// The owners of a split's tables.
const (
	Source = "source" // the monolith's database
	Target = "target" // the service's
)

// A Record says who owns the tables of a split.
type Record struct {
	Owner  string    `json:"owner"`
	Epoch  int64     `json:"epoch"`
	Since  time.Time `json:"since"`            // when the proxy was told
	Routes []string  `json:"routes,omitempty"` // that lead to the owner
	// Pending says that the routes are not yet known to lead there.
	Pending bool `json:"pending,omitempty"`
}

// Records are the records of all splits, by name.
type Records map[string]Record

// Owned reports whether a split is past the step at which its service owns the tables.
func (r Records) Owned(split string) bool { return r[split].Owner == Target }

// An EpochError reports a flip that is older than what the proxy knows, or that
// contradicts it.
type EpochError struct {
	Split string
	Epoch int64 // of the flip
	Have  Record
}

func (e *EpochError) Error() string {
	if e.Epoch == e.Have.Epoch {
		return fmt.Sprintf("split %s: epoch %d says already that %s owns the tables", e.Split, e.Epoch, e.Have.Owner)
	}
	return fmt.Sprintf("split %s: epoch %d is over, the last one was %d", e.Split, e.Epoch, e.Have.Epoch)
}

// Path is the file that belongs to the configuration file at path.
func Path(path string) string { return path + ".splits.json" }

// limitFile is what the file may have.
const limitFile = 1 << 20

// content is the file.
type content struct {
	Schema int     `json:"schema"`
	Splits Records `json:"splits"`
}

// Read returns the records beside the configuration file at path: none if there is no
// such file.
func Read(path string) (Records, error) {
	records, err := read(path)
	if err != nil {
		return nil, program.Fail(program.Usage, "mend it, or move it away and say anew who owns the tables: strangler split status", "%w", err)
	}
	return records, nil
}

func read(path string) (Records, error) {
	f, err := os.Open(Path(path))
	if errors.Is(err, fs.ErrNotExist) || path == "" {
		return Records{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limitFile+1))
	if err != nil {
		return nil, err
	}
	var c content
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	switch err := decoder.Decode(&c); {
	case len(text) > limitFile:
		return nil, fmt.Errorf("%s is larger than 1 MiB", f.Name())
	case err != nil:
		return nil, fmt.Errorf("%s holds no records of splits: %w", f.Name(), err)
	case c.Schema != 1:
		return nil, fmt.Errorf("%s has schema %d, this program knows 1", f.Name(), c.Schema)
	}
	for name, r := range c.Splits {
		if r.Owner != Source && r.Owner != Target {
			return nil, fmt.Errorf("%s: split %s is owned by %q, neither %s nor %s", f.Name(), name, r.Owner, Source, Target)
		}
	}
	if c.Splits == nil {
		c.Splits = Records{}
	}
	return c.Splits, nil
}

// Accept writes a record down. What the file has already is no change; the error is an
// *EpochError if it has something newer. The record that then holds is returned: it is
// not Pending if it was followed before.
func Accept(ctx context.Context, path, split string, r Record) (Record, error) {
	held := r
	err := update(ctx, path, func(records Records) (bool, error) {
		have, known := records[split]
		switch {
		case known && (r.Epoch < have.Epoch || r.Epoch == have.Epoch && r.Owner != have.Owner):
			return false, &EpochError{split, r.Epoch, have}
		case known && r.Epoch == have.Epoch:
			held = have
			return false, nil
		case len(records) >= limitSplits && !known:
			return false, fmt.Errorf("%s holds %d splits already", Path(path), limitSplits)
		}
		held.Pending = true
		records[split] = held
		return true, nil
	})
	return held, err
}

// limitSplits is how many splits there may be.
const limitSplits = 1000

// Settle notes that the record of epoch has been followed.
func Settle(ctx context.Context, path, split string, epoch int64) error {
	return update(ctx, path, func(records Records) (bool, error) {
		r := records[split]
		if r.Epoch != epoch || !r.Pending {
			return false, nil
		}
		r.Pending = false
		records[split] = r
		return true, nil
	})
}

// update changes the records while nobody else does. They are written if change says so.
func update(ctx context.Context, path string, change func(Records) (bool, error)) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := filelock.Wait(ctx, folder); err != nil {
		return fmt.Errorf("wait for %s: %w", Path(path), err)
	}
	records, err := Read(path)
	if err != nil {
		return err
	}
	changed, err := change(records)
	if err != nil || !changed {
		return err
	}
	if err := write(Path(path), content{1, records}); err != nil {
		return fmt.Errorf("write %s: %w", Path(path), err)
	}
	return folder.Sync()
}

// write replaces the file in one step.
func write(path string, c content) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	temp := path + ".new" // the lock makes it ours, and that of a writer who was killed
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer os.Remove(temp) // gone after the rename
	defer f.Close()
	if _, err := f.Write(append(text, '\n')); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// Probe reports why no record could be written beside the configuration file at path.
func Probe(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(Path(path))+".*.probe")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}
