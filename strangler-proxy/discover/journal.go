package discover

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// JournalOptions tune a Journal. The zero value keeps nothing over a restart.
type JournalOptions struct {
	Path string           // the state file; empty: none
	Log  *slog.Logger     // nil discards
	Now  func() time.Time // nil means time.Now
}

// A Journal remembers what the proxy saw, over restarts if it has a file. Several
// journals may share a file: each adds to it what it saw itself, and learns what the
// others did. Goroutines may share a Journal.
type Journal struct {
	*Observer
	path   string
	log    *slog.Logger
	now    func() time.Time
	urgent atomic.Bool
	saved  atomic.Int64 // when, in seconds since 1970

	saving sync.Mutex // one save at a time

	mu      sync.Mutex
	calls   map[string]*Calls
	taken   map[string]counts // what of calls is in known
	routes  map[string]string // the matches of the routes in use
	since   map[string]int64  // when this journal began to follow them
	anew    map[string]bool   // routes whose history begins anew
	moved   int               // routes at live or done
	table   *route.Table
	known   *state // without endpoints, which the Observer has
	unsaved *state // what of known is not in the file
	watched int64  // until then known says that we ran
	warned  string // the last problem that was logged
}

// OpenJournal reads the file, if there is one. A damaged file is set aside and logged:
// a proxy does not refuse to serve because of it.
func OpenJournal(opts JournalOptions) *Journal {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	j := &Journal{
		Observer: NewObserver(opts.Now), path: opts.Path, log: opts.Log, now: opts.Now,
		calls: map[string]*Calls{}, taken: map[string]counts{}, since: map[string]int64{}, anew: map[string]bool{},
		known: newState(), unsaved: newState(), watched: opts.Now().Unix(),
	}
	j.saved.Store(j.watched)
	if j.path == "" {
		return j
	}
	s, err := readState(j.path)
	switch {
	case err == nil:
		j.adopt(s)
	case errors.Is(err, errDamaged):
		j.log.Warn("what was learned from traffic is lost, learning begins anew", "err", err, "kept_as", j.setAside())
	case !errors.Is(err, os.ErrNotExist):
		j.log.Warn("what was learned from traffic cannot be read, learning begins anew", "err", err)
	}
	return j
}

// setAside keeps a file that is no state, maybe one of a later version, from being
// written over. It returns where it is.
func (j *Journal) setAside() string {
	aside := j.path + ".damaged"
	if err := os.Rename(j.path, aside); err != nil {
		return "nowhere: " + err.Error()
	}
	return aside
}

// adopt makes s what is known.
func (j *Journal) adopt(s *state) {
	j.setKnown(s.Endpoints)
	s.Endpoints = newTree()
	j.known = s
}

// Calls returns the counters of the route named name, the same ones each time.
func (j *Journal) Calls(name string) *Calls {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.callsOf(name)
}

func (j *Journal) callsOf(name string) *Calls {
	c := j.calls[name]
	if c == nil {
		c = &Calls{urgent: &j.urgent}
		j.calls[name] = c
	}
	return c
}

// Follow tells which routes are in use from now on. The history of a route begins anew
// when its match becomes another, or when it comes back.
func (j *Journal) Follow(table *route.Table) {
	j.roll()
	j.mu.Lock()
	defer j.mu.Unlock()
	now, before := j.now().Unix(), j.routes
	j.routes, j.table, j.moved = map[string]string{}, table, 0
	for _, r := range table.Routes() {
		match := r.Match.String()
		j.routes[r.Name] = match
		j.callsOf(r.Name)
		if r.Stage >= route.Live {
			j.moved++
		}
		was, known := before[r.Name]
		if !known || was != match {
			j.since[r.Name] = now
			j.anew[r.Name] = before != nil
		}
	}
}

// roll moves what the counters and the Observer have gained into known and unsaved.
func (j *Journal) roll() {
	j.mu.Lock()
	defer j.mu.Unlock()
	endpoints, now := j.takeFresh(), j.now()
	fresh := newState()
	if now.Unix() > j.watched {
		fresh.Watched = []period{{j.watched, now.Unix()}}
		j.watched = now.Unix()
	}
	point := Point{}
	for name, c := range j.calls {
		gained := j.gain(name, c)
		point.Monolith += gained[Request].N + gained[Fallback].N
		point.Service += gained[Service].N
		if match, used := j.routes[name]; used {
			fresh.Routes[name] = &history{Match: match, Since: j.since[name], Calls: gained, anew: j.anew[name]}
			delete(j.anew, name)
		}
	}
	point.Endpoints, point.EndpointsMoved = len(j.routes)+j.unclaimed(), j.moved
	point.At = now.UTC().Truncate(time.Hour)
	fresh.Hours = []Point{point}
	point.At = now.UTC().Truncate(24 * time.Hour)
	fresh.Days = []Point{point}
	j.known.addWithoutEndpoints(fresh)
	if j.path != "" {
		fresh.Endpoints = endpoints
		j.unsaved.add(fresh)
	}
}

// gain is what c has counted since it was last asked for.
func (j *Journal) gain(name string, c *Calls) counts {
	now, before := c.counts(), j.taken[name]
	j.taken[name] = now
	for k := range now {
		now[k].N -= before[k].N
		if now[k].N == 0 {
			now[k].Last = 0
		}
	}
	return now
}

// unclaimed counts the endpoints without a route. The caller holds the lock.
func (j *Journal) unclaimed() int {
	if j.table == nil {
		return 0
	}
	return len(Unclaimed(j.Findings(0).Endpoints, j.table))
}

// When the file is written: once a minute if anything happened, else now and then to
// say that we were there, and at once when something rare happened.
const (
	saveEvery = time.Minute
	saveIdle  = 5 * time.Minute
	lookEvery = time.Second
)

// Run sorts and saves until ctx ends, and saves once more.
func (j *Journal) Run(ctx context.Context) {
	var sorting sync.WaitGroup
	sorting.Go(func() { j.Observer.Run(ctx) })
	defer j.saveAtTheEnd()
	defer sorting.Wait()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if age := j.now().Sub(time.Unix(j.saved.Load(), 0)); j.urgent.Swap(false) || age >= saveIdle || age >= saveEvery && j.active() {
			_ = j.Save() // it was logged
		}
	}
}

// active reports whether anything was counted that is not in the file.
func (j *Journal) active() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for name, c := range j.calls {
		if c.counts() != j.taken[name] {
			return true
		}
	}
	return false
}

// saveAtTheEnd waits a little for another proxy that holds the file.
func (j *Journal) saveAtTheEnd() {
	for range 50 {
		if !errors.Is(j.Save(), filelock.ErrHeld) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Save adds what was seen since the last time to the file. Its error was logged; what
// could not be saved is tried again the next time.
func (j *Journal) Save() error {
	j.saving.Lock()
	defer j.saving.Unlock()
	j.roll()
	j.saved.Store(j.now().Unix())
	if j.path == "" {
		return nil
	}
	err := j.addToFile()
	if errors.Is(err, filelock.ErrHeld) {
		j.urgent.Store(true) // at the next look
		return err
	}
	j.warn(err)
	return err
}

func (j *Journal) addToFile() error {
	unlock, err := lockFolder(j.path)
	if err != nil {
		return err
	}
	defer unlock()
	sum, err := readState(j.path)
	if errors.Is(err, errDamaged) {
		j.log.Warn("the file of what was learned was damaged and is written anew", "err", err, "kept_as", j.setAside())
	}
	j.mu.Lock()
	unsaved := j.unsaved
	j.unsaved = newState()
	if err != nil {
		sum = j.everything() // it is gone or damaged: what we know replaces it
	} else {
		sum.add(unsaved)
	}
	sum.forget(j.routes)
	j.mu.Unlock()
	if err := sum.write(j.path); err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		unsaved.add(j.unsaved)
		j.unsaved = unsaved
		return err
	}
	j.learnFrom(sum)
	return nil
}

// everything is all that is known here, but for what was not rolled up yet. The caller
// holds the lock.
func (j *Journal) everything() *state {
	s := newState()
	s.addWithoutEndpoints(j.known)
	s.Endpoints = j.copyKnown()
	return s
}

// learnFrom takes over what other proxies have added to the file.
func (j *Journal) learnFrom(sum *state) {
	j.mu.Lock()
	defer j.mu.Unlock()
	sum.add(j.unsaved) // what came while the file was written
	j.adopt(sum)
}

// warn logs a problem once.
func (j *Journal) warn(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && j.warned == "" {
		j.log.Warn("what is learned from traffic is kept in memory only", "path", j.path, "err", text,
			"remedy", "make the folder writable, or set discovery.state to a file elsewhere, or to off")
	}
	j.warned = text
}
