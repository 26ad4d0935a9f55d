package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/internal/program"
)

// sqliteReset is how --reset begins if it names a SQLite file, as sqlite:FILE or
// sqlite:FILE=SEED, and no command.
const sqliteReset = "sqlite:"

// resets are what puts the data back before each run, in the order of the flags.
type resets struct {
	steps []record.Reset
	dir   string // of the copies that were taken at the start; empty if none was
}

// close removes the copies.
func (r *resets) close() {
	if r.dir != "" {
		_ = os.RemoveAll(r.dir) // in the folder for temporary files
	}
}

// resets reads --reset, and copies the files that are to be put back as they are now. The
// caller closes what it returns.
func (t *tool) resets(ctx context.Context, values []string) (*resets, error) {
	r := &resets{}
	for i, v := range values {
		file, isFile := strings.CutPrefix(v, sqliteReset)
		if !isFile {
			r.steps = append(r.steps, record.Reset{Command: []string{"sh", "-c", v}})
			continue
		}
		file, seed, _ := strings.Cut(file, "=")
		if t.opts.CopySQLite == nil {
			return r, program.Fail(program.Usage, "use strangler compare, or a command", "--reset %s: this program knows no SQLite", v)
		}
		if file == "" {
			return r, program.Fail(program.Usage, "write --reset sqlite:FILE or sqlite:FILE=SEED", "--reset %s names no file", v)
		}
		if seed == "" {
			var err error
			if seed, err = t.keep(ctx, r, i, file); err != nil {
				return r, program.Fail(program.Usage, "", "--reset %s: %w", v, err)
			}
		}
		if _, err := os.Stat(seed); err != nil {
			return r, program.Fail(program.Usage, "", "--reset %s: %w", v, err)
		}
		r.steps = append(r.steps, record.Reset{Restore: func(ctx context.Context) error { return t.opts.CopySQLite(ctx, seed, file) }})
	}
	return r, nil
}

// keep copies a database as it is at the start. The copy holds what the database holds, so it
// is no part of the recordings.
func (t *tool) keep(ctx context.Context, r *resets, i int, file string) (seed string, err error) {
	if r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "compare-reset-"); err != nil {
			return "", err
		}
	}
	seed = filepath.Join(r.dir, fmt.Sprintf("%d.db", i))
	return seed, t.opts.CopySQLite(ctx, file, seed)
}
