package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/program"
)

const (
	stateName = "demo.json"
	lockName  = "demo.lock"
)

// state is what a running demo says about itself, for status, stop and start.
type state struct {
	PID             int             `json:"pid"`
	Ready           bool            `json:"ready"`
	StartedAt       instant.Instant `json:"started_at"`
	Bin             string          `json:"bin"`
	Scale           int             `json:"scale"`
	Proxy           string          `json:"proxy"`
	Admin           string          `json:"admin"`
	Monolith        string          `json:"monolith"`
	Recommendations string          `json:"recommendations"`
	Reviews         string          `json:"reviews,omitempty"`
	Catalog         string          `json:"catalog,omitempty"`
}

func (s state) options(dir string) Options {
	return Options{
		Dir: dir, Bin: s.Bin, Scale: s.Scale,
		Proxy: s.Proxy, Admin: s.Admin, Monolith: s.Monolith, Recommendations: s.Recommendations, Reviews: s.Reviews, Catalog: s.Catalog,
	}
}

// lock takes the folder for this process. The lock goes away with the process, even
// if that is killed.
func lock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, program.Fail(program.Usage, "give a folder that can be written with --dir", "lock the demo's folder: %w", err)
	}
	err = filelock.Exclusive(file)
	for try := 0; err != nil && try < 5; try++ { // "demo status" holds it for a moment to look
		time.Sleep(20 * time.Millisecond)
		err = filelock.Exclusive(file)
	}
	if err != nil {
		file.Close()
		who := ""
		if st, err := readState(dir); err == nil {
			who = fmt.Sprintf(" (process %d)", st.PID)
		}
		return nil, program.Fail(program.Usage, `stop it with "strangler demo stop", or give another folder with --dir`,
			"a demo is already running in %s%s", dir, who)
	}
	return file, nil
}

// locked reports whether a demo runs in dir.
func locked(dir string) (bool, error) {
	file, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for a running demo: %w", err)
	}
	defer file.Close()
	err = filelock.Shared(file)
	if errors.Is(err, filelock.ErrHeld) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for a running demo: %w", err)
	}
	return false, nil
}

func readState(dir string) (state, error) {
	var st state
	data, err := os.ReadFile(filepath.Join(dir, stateName))
	if err != nil {
		return st, fmt.Errorf("read the demo's state: %w", err)
	}
	if err := json.Unmarshal(data, &st); err != nil {
		return st, fmt.Errorf("read the demo's state: %s: %w", stateName, err)
	}
	return st, nil
}

func writeState(dir string, st state) error {
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return fmt.Errorf("write the demo's state: %w", err)
	}
	path := filepath.Join(dir, stateName)
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the demo's state: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write the demo's state: %w", err)
	}
	return nil
}
