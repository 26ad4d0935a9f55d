package discover

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/stranglerfig/toolkit/internal/filelock"
)

// A state is what is remembered over a restart. States can be added up: what several
// proxies saw is the sum of what each saw.
type state struct {
	Schema    int                 `json:"schema"`
	Watched   []period            `json:"watched"` // when a proxy ran, in order
	Routes    map[string]*history `json:"routes"`
	Endpoints *tree               `json:"endpoints"`
	Hours     []Point             `json:"hours"`
	Days      []Point             `json:"days"`
}

// A history is what is known of a route.
type history struct {
	Match string `json:"match"` // the calls are those of this match only
	Since int64  `json:"since"` // counting began
	Calls counts `json:"calls"` // by kind: requests, fallbacks and copies to the monolith, and what the service got

	anew bool // what was known before is of no use
}

const stateSchema = 1

func newState() *state {
	return &state{Schema: stateSchema, Routes: map[string]*history{}, Endpoints: newTree()}
}

func (s *state) add(o *state) {
	s.addWithoutEndpoints(o)
	s.Endpoints.add(o.Endpoints)
}

func (s *state) addWithoutEndpoints(o *state) {
	s.Watched = joinPeriods(append(slices.Clone(s.Watched), o.Watched...))
	for name, h := range o.Routes {
		mine := s.Routes[name]
		if mine == nil || h.anew || mine.Match != h.Match {
			copied := *h
			s.Routes[name] = &copied
			continue
		}
		mine.Since = min(mine.Since, h.Since)
		mine.Calls.add(h.Calls)
	}
	s.Hours = addPoints(s.Hours, o.Hours, limitHours)
	s.Days = addPoints(s.Days, o.Days, limitDays)
}

// limitRoutes bounds what is remembered of routes that are no longer in any file.
const limitRoutes = 4000

// forget drops the routes that were silent for longest, but none of keep.
func (s *state) forget(keep map[string]string) {
	if len(s.Routes) <= limitRoutes {
		return
	}
	var gone []string
	for name := range s.Routes {
		if _, kept := keep[name]; !kept {
			gone = append(gone, name)
		}
	}
	slices.SortFunc(gone, func(a, b string) int {
		return cmp.Compare(s.Routes[a].Calls.lastRequest(), s.Routes[b].Calls.lastRequest())
	})
	for _, name := range gone[:min(len(gone), len(s.Routes)-limitRoutes)] {
		delete(s.Routes, name)
	}
}

// A period is a time during which a proxy ran, in seconds since 1970.
type period struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// A pause of shortPause is a restart and does not count; of more than limitPeriods
// periods the oldest are forgotten.
const (
	shortPause   = 60
	limitPeriods = 200
)

func joinPeriods(all []period) []period {
	slices.SortFunc(all, func(a, b period) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
	var joined []period
	for _, p := range all {
		if n := len(joined); n > 0 && p.From-joined[n-1].To <= shortPause {
			joined[n-1].To = max(joined[n-1].To, p.To)
			continue
		}
		joined = append(joined, p)
	}
	return joined[max(0, len(joined)-limitPeriods):]
}

// watchedSince is for how many seconds since then a proxy ran.
func (s *state) watchedSince(then int64) (seconds int64) {
	for _, p := range s.Watched {
		seconds += max(0, p.To-max(p.From, then))
	}
	return seconds
}

// limitState is the size of a file that is read; one that we write stays far below.
const limitState = 64 << 20

// errDamaged reports a file that does not hold a state.
var errDamaged = errors.New("it holds no state of a proxy")

// readState reads the state at path; os.ErrNotExist when there is none.
func readState(path string) (*state, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, limitState+1))
	if err != nil {
		return nil, err
	}
	s := &state{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, errDamaged, err)
	}
	if s.Schema != stateSchema || s.Endpoints == nil || s.Routes == nil {
		return nil, fmt.Errorf("%s: %w of this version", path, errDamaged)
	}
	for _, h := range s.Routes {
		if h == nil {
			return nil, fmt.Errorf("%s: %w", path, errDamaged)
		}
	}
	if err := s.Endpoints.adopt(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, errDamaged, err)
	}
	s.Watched = joinPeriods(s.Watched)
	s.Hours, s.Days = addPoints(nil, s.Hours, limitHours), addPoints(nil, s.Days, limitDays)
	return s, nil
}

// write puts s in the place of the file at path. Readers see the old file or the new
// one, never a part, also after a crash.
func (s *state) write(path string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone after the rename
	defer temp.Close()
	if _, err := temp.Write(append(text, '\n')); err != nil {
		return err
	}
	if err := errors.Join(temp.Chmod(0o640), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// lockFolder keeps other proxies that share the file out; filelock.ErrHeld when one is in.
func lockFolder(path string) (unlock func(), err error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if err := filelock.Exclusive(folder); err != nil {
		folder.Close()
		return nil, err
	}
	return func() { folder.Close() }, nil
}
