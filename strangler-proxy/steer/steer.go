// Package steer changes what a running migration does: stages, rollbacks, and the
// panic that sends everything to the monolith. Whoever steers, a person at the command
// line, the admin API or automation, does it here: the file is edited, never the
// proxy's memory; a guard objects to what is not proven; every change is a line of the
// audit log. What somebody changed in the file by hand is noted too, once.
package steer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
)

// Options tune a File. The zero value is fit for production.
type Options struct {
	LookupEnv func(string) (string, bool) // nil knows no variables
	Now       func() time.Time            // nil means time.Now
}

// A File is a configuration file with its audit log. Goroutines may share it, and other
// processes may steer the same file.
type File struct {
	path string
	opts Options
	log  *audit.Log
}

// New returns the File at path, which need not exist yet.
func New(path string, opts Options) *File {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &File{path: path, opts: opts, log: audit.Of(path)}
}

// An Order says who wants a change, and how it is to be made.
type Order struct {
	Actor    string // cli:USER, token:NAME or auto:WHY
	Action   string // of a Set: audit.Move, or audit.Rollback, which freezes what it moves
	Reason   string
	Force    bool                             // overrule the guard's objections; needs a reason
	DryRun   bool                             // change nothing, also when the guard objects
	IfMatch  string                           // the hash that the file must have; "" means any
	Evidence func(name string) route.Evidence // of a route; nil knows none
}

// A Result says what an order did, or would do.
type Result struct {
	*config.Edited
	Objections []route.Objection // that were overruled, or would have to be
	NotNoted   error             // why the audit log has no line about it
}

// A RefusedError reports that the guard objects. An Order with Force overrules it.
type RefusedError struct{ Objections []route.Objection }

func (e *RefusedError) Error() string {
	var texts []string
	for _, o := range e.Objections {
		text := o.Text
		if o.Remedy != "" {
			text += " (" + o.Remedy + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

func (o *Order) check() error {
	if err := audit.CheckReason(o.Reason); err != nil {
		return program.Fail(program.Usage, "give a shorter one", "%w", err)
	}
	if o.Force && strings.TrimSpace(o.Reason) == "" {
		return program.Fail(program.Usage, "add --reason", "an overruled objection needs a reason in the audit log")
	}
	return nil
}

// edit makes a change of the file and notes it. draft makes the change and returns the
// entries; their time, actor, reason and hashes are filled in. In an emergency the
// change is made also when the log cannot be written.
func (f *File) edit(ctx context.Context, o Order, emergency bool, draft func(*config.Draft, *Result) ([]audit.Entry, error)) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	result := &Result{}
	write := func(newest string) (entries []audit.Entry, err error) {
		result.Objections = nil
		owners, err := splits.Read(f.path)
		if err != nil {
			return nil, err
		}
		eo := config.EditOptions{Options: config.Options{LookupEnv: f.opts.LookupEnv, Owned: owners.Owned}, DryRun: o.DryRun, IfMatch: o.IfMatch, Urgent: emergency}
		result.Edited, err = config.Edit(f.path, eo, func(d *config.Draft) error {
			entries, err = draft(d, result)
			return err
		})
		if err != nil {
			return nil, err
		}
		for i := range entries {
			e := &entries[i]
			e.Time, e.Actor, e.Reason = f.opts.Now(), o.Actor, o.Reason
			e.OldHash, e.NewHash = result.Before.Hash, result.After.Hash
		}
		if len(entries) > 0 {
			entries = append(f.byHand(newest, nil, result.Before), entries...)
		}
		return entries, nil
	}
	// First without the lock, and in vain: most of what goes wrong needs no lock, and
	// what changes nothing leaves no log behind.
	dry := o.DryRun
	o.DryRun = true
	if entries, err := write(""); err != nil || dry || len(entries) == 0 {
		return result, err
	}
	o.DryRun = false
	limit := lockLimit
	if emergency {
		limit = emergencyLimit
	}
	locked, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := f.log.Change(locked, write)
	if errors.Is(err, audit.ErrUnavailable) && emergency && ctx.Err() == nil {
		return f.withoutLock(ctx, result, err, write)
	}
	return result.after(err, f.log.Path())
}

// How long an order waits for others who write the log. In an emergency the file comes
// first.
const (
	lockLimit      = 30 * time.Second
	emergencyLimit = 500 * time.Millisecond
	noteLimit      = 2 * time.Second // for the note about what was done without the lock
)

// withoutLock makes a change in an emergency: the log could not be locked in time.
func (f *File) withoutLock(ctx context.Context, result *Result, why error, write func(string) ([]audit.Entry, error)) (*Result, error) {
	entries, err := write("")
	if err != nil {
		return nil, err
	}
	if result.NotNoted = why; errors.Is(why, context.DeadlineExceeded) {
		locked, cancel := context.WithTimeout(ctx, noteLimit)
		defer cancel()
		result.NotNoted = f.log.Append(locked, entries...)
	}
	return result, nil
}

// after is what became of a change that was made under the lock.
func (r *Result) after(err error, log string) (*Result, error) {
	var missing *audit.NotNotedError
	var busy *filelock.BusyError
	switch {
	case errors.As(err, &missing):
		r.NotNoted = missing.Err
	case errors.Is(err, audit.ErrUnavailable) && errors.As(err, &busy):
		return nil, program.Fail(program.Unreachable, busy.Remedy, "nothing was changed: %w", err)
	case errors.Is(err, audit.ErrUnavailable):
		return nil, program.Fail(program.Usage, "make it possible to write "+log, "nothing was changed: %w", err)
	case err != nil:
		return nil, err
	}
	return r, nil
}

// byHand is what the log lacks: entries that lead from the newest one, which left the
// configuration with hash newest, to now. before is a configuration from which now
// came, if one is known; for routes that the log does not know it says their stages.
// A log without entries knows nothing that could be missing, unless before does.
func (f *File) byHand(newest string, before, now *config.Config) []audit.Entry {
	if before != nil && newest == "" {
		newest = before.Hash
	}
	if newest == "" || newest == now.Hash {
		return nil
	}
	history, err := audit.Read(f.log.Path())
	if err != nil {
		history = nil // what is missing is noted with less detail
	}
	entries := moved(history, before, now)
	if was := history.Panic() != nil; was != (now.Panic != "") {
		action := audit.Calmed
		if !was {
			action = audit.Panicked
		}
		entries = append(entries, audit.Entry{Action: action, Reason: now.Panic})
	}
	if len(entries) == 0 {
		entries = append(entries, audit.Entry{Action: audit.Edit})
	}
	for i := range entries {
		e := &entries[i]
		e.Time, e.Actor, e.OldHash, e.NewHash = f.opts.Now(), audit.ByFile, newest, now.Hash
	}
	return entries
}

// moved has an entry for each stage that is not the one last known.
func moved(history audit.History, before, now *config.Config) []audit.Entry {
	known := map[string]string{}
	if before != nil {
		for _, s := range staged(now) {
			known[s.name] = "" // until below: it was not there
		}
		for _, s := range staged(before) {
			known[s.name] = s.stage.String()
		}
	}
	maps.Copy(known, history.Stages())
	var entries []audit.Entry
	for _, s := range staged(now) {
		from, ok := known[s.name]
		if to := s.stage.String(); ok && from != to && (from != "" || s.stage != route.Monolith) {
			e := entry(audit.Move, s.name, s.group, s.routes, 0, s.stage)
			e.From = from
			entries = append(entries, e)
		}
	}
	return entries
}

// staged lists whatever has a stage in the file.
func staged(cfg *config.Config) []subject {
	var all []subject
	for _, g := range cfg.Groups {
		if g.Stage != 0 {
			all = append(all, subject{g.Name, true, g.Routes, g.Stage})
		}
	}
	for _, r := range cfg.Routes {
		if g := cfg.Group(r.Group); g == nil || g.Stage == 0 {
			all = append(all, subject{r.Name, false, []string{r.Name}, r.Stage})
		}
	}
	return all
}

// NoteByHand notes what was changed in the file itself and is not in the log yet.
// before is the configuration that was in use, nil if that is not known. Several
// proxies on one file may all call it: the first one notes the change. A file that is
// bad changes nothing, so there is nothing to note.
func (f *File) NoteByHand(ctx context.Context, before *config.Config) error {
	now, err := f.read()
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	newest, err := f.newest()
	if err != nil || newest == now.Hash || newest == "" && (before == nil || before.Hash == now.Hash) {
		return err
	}
	err = f.log.Change(ctx, func(newest string) ([]audit.Entry, error) {
		now, err := f.read() // what the file says may have been noted while we waited
		if err != nil {
			return nil, nil //nolint:nilerr // see above
		}
		return f.byHand(newest, before, now), nil
	})
	if err != nil {
		return fmt.Errorf("note a change of %s: %w", f.path, err)
	}
	return nil
}

func (f *File) newest() (string, error) {
	h, err := audit.Read(f.log.Path())
	if err != nil || len(h) == 0 {
		return "", err
	}
	return h[len(h)-1].NewHash, nil
}

func (f *File) read() (*config.Config, error) {
	source, err := yamldoc.ReadFile(f.path)
	if err != nil {
		return nil, err
	}
	owners, err := splits.Read(f.path)
	if err != nil {
		return nil, err
	}
	cfg, _, err := config.Parse(f.path, source, config.Options{LookupEnv: f.opts.LookupEnv, AllowUnset: true, Owned: owners.Owned})
	return cfg, err
}

// History reads the audit log.
func (f *File) History() (audit.History, error) { return audit.Read(f.log.Path()) }
