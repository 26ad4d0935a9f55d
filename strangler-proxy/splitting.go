package strangler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

// A splitting is the proxy's part in splits: it follows who owns the tables and holds
// requests while they change hands.
type splitting struct {
	opts  Options
	file  *steer.File // nil without one
	holds *hold.Keeper
	// believed are splits whose routes were live already when the proxy started and of
	// which nobody has told it. It is not changed after that.
	believed map[string]bool

	turn    sync.Mutex // one flip at a time
	mu      sync.Mutex // guards what follows
	reports map[string]admin.SplitReport
}

func newSplitting(p *Proxy) *splitting {
	s := &splitting{opts: p.opts, reports: map[string]admin.SplitReport{}}
	if p.opts.ConfigPath != "" {
		s.file = steer.New(p.opts.ConfigPath, steer.Options{LookupEnv: p.opts.LookupEnv})
	}
	s.holds = hold.New(hold.Options{Settle: func() { p.catchUp(context.Background()) }, Ended: s.ended})
	return s
}

func (s *splitting) ended(h hold.Status, why string) {
	level := slog.LevelInfo
	if why != hold.ByHolder {
		level = slog.LevelWarn
	}
	s.opts.Log.Log(context.Background(), level, "hold ended", "id", h.ID, "holder", h.Holder, "why", why, "most_parked", h.Most, "refused", h.Refused, "lasted", time.Since(h.Since).String())
}

// Holds implements admin.Holder.
func (p *Proxy) Holds() *hold.Keeper { return p.splitting.holds }

// Hold implements admin.Holder.
func (p *Proxy) Hold(o hold.Order) (hold.Status, error) {
	cfg := p.current.Load().config
	var names []string
	for _, name := range o.Routes {
		g := cfg.Group(name)
		switch {
		case g != nil:
			names = append(names, g.Routes...)
		case name == route.Default || cfg.Route(name) != nil:
			names = append(names, name)
		default:
			return hold.Status{}, config.UnknownRoute(cfg, name)
		}
	}
	o.Routes = names
	return p.splitting.holds.Add(o)
}

// flipLimit is how long a flip may wait for others who write the files.
const flipLimit = 10 * time.Second

// splitName is what a split may be called, as in the configuration file.
var splitName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Follow implements admin.Splitter. The record comes first: whatever happens then, the
// proxy, or the one after it, knows what is to be done.
func (p *Proxy) Follow(ctx context.Context, f admin.Following) (admin.Followed, error) {
	s := p.splitting
	switch {
	case s.file == nil:
		return admin.Followed{}, program.Fail(program.Usage, "start it with one", "the proxy runs without a configuration file")
	case !splitName.MatchString(f.Split):
		return admin.Followed{}, program.Fail(program.Usage, "letters, digits, . _ -; at most 64", "%q is no name for a split", f.Split)
	case f.Owner != splits.Source && f.Owner != splits.Target:
		return admin.Followed{}, program.Fail(program.Usage, "source or target", "%q cannot own the tables", f.Owner)
	case f.Epoch < 1 && !f.DryRun:
		return admin.Followed{}, program.Fail(program.Usage, "count from 1", "epoch %d is none", f.Epoch)
	}
	ctx, cancel := context.WithTimeout(ctx, flipLimit)
	defer cancel()
	s.turn.Lock()
	defer s.turn.Unlock()
	order := steer.Order{Actor: f.Actor, Reason: fmt.Sprintf("split %s epoch %d", f.Split, f.Epoch), DryRun: true}
	planned, err := s.file.Flip(ctx, f.Split, f.Owner == splits.Target, f.Routes, order)
	if err != nil && !passing(err) {
		return admin.Followed{}, err
	}
	if f.DryRun {
		return p.rehearse(f, planned, err)
	}
	held, acceptErr := splits.Accept(ctx, p.opts.ConfigPath, f.Split, splits.Record{Owner: f.Owner, Epoch: f.Epoch, Since: time.Now().UTC(), Routes: f.Routes})
	switch {
	case acceptErr != nil:
		return admin.Followed{}, acceptErr
	case err != nil:
		return admin.Followed{}, err
	}
	followed := admin.Followed{Owner: f.Owner, Epoch: f.Epoch}
	if held.Pending {
		order.DryRun = false
		if err := s.flip(ctx, f.Split, held, order, &followed); err != nil {
			return admin.Followed{}, err
		}
	}
	if err := p.Reload(); err != nil {
		return admin.Followed{}, fmt.Errorf("the owner is written down, but the configuration is rejected: %w", err)
	}
	if held.Pending {
		if err := splits.Settle(ctx, p.opts.ConfigPath, f.Split, f.Epoch); err != nil {
			followed.Warning = "the routes lead to the owner, but that is not written down: " + err.Error()
		}
	}
	followed.Config = p.configStatus(p.current.Load())
	return followed, nil
}

// passing reports an error that may be over before long, while the decision stays: then
// it is written down all the same.
func passing(err error) bool {
	var bad *yamldoc.ProblemsError
	return errors.As(err, &bad) || errors.Is(err, yamldoc.ErrChanged)
}

// rehearse says what following would do, or why it could not be done now.
func (p *Proxy) rehearse(f admin.Following, planned *steer.Result, err error) (admin.Followed, error) {
	if err != nil {
		return admin.Followed{}, err
	}
	for _, try := range []func(string) error{yamldoc.Writable, splits.Probe} {
		if err := try(p.opts.ConfigPath); err != nil {
			return admin.Followed{}, program.Fail(program.Usage, "let the proxy write there", "%w", &config.ReadOnlyError{Name: p.opts.ConfigPath, Patch: planned.Patch, Err: err})
		}
	}
	records, err := splits.Read(p.opts.ConfigPath)
	if err != nil {
		return admin.Followed{}, err
	}
	have := records[f.Split]
	if f.Epoch != 0 && (f.Epoch < have.Epoch || f.Epoch == have.Epoch && have.Owner != f.Owner) {
		return admin.Followed{}, &splits.EpochError{Split: f.Split, Epoch: f.Epoch, Have: have}
	}
	followed := admin.Followed{Owner: cmp.Or(have.Owner, splits.Source), Epoch: have.Epoch, Config: p.configStatus(p.current.Load())}
	followed.Moves = movesOf(planned)
	return followed, nil
}

// flip makes the file say what the record r says.
func (s *splitting) flip(ctx context.Context, split string, r splits.Record, o steer.Order, f *admin.Followed) error {
	result, err := s.file.Flip(ctx, split, r.Owner == splits.Target, r.Routes, o)
	if err != nil {
		return err
	}
	f.Changed, f.Moves = result.Changed(), movesOf(result)
	if result.NotNoted != nil {
		f.Warning = "the change was made, but not noted in the audit log"
	}
	return nil
}

func movesOf(r *steer.Result) []admin.Moved {
	var moves []admin.Moved
	for _, c := range r.Changes {
		if c.Changed() {
			moves = append(moves, admin.Moved{Name: c.Name, From: c.From.String(), To: c.To.String()})
		}
	}
	return moves
}

// finish does what records say that was not done: the proxy that was told has died, or
// the file was bad then.
func (s *splitting) finish(ctx context.Context) {
	if s.file == nil {
		return
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	ctx, cancel := context.WithTimeout(ctx, flipLimit)
	defer cancel()
	records, err := splits.Read(s.opts.ConfigPath)
	if err != nil {
		return // whoever loads the configuration says so
	}
	for name, r := range records {
		if !r.Pending {
			continue
		}
		var f admin.Followed
		err := s.flip(ctx, name, r, steer.Order{Actor: "auto:split", Reason: fmt.Sprintf("split %s epoch %d", name, r.Epoch)}, &f)
		if err == nil {
			err = splits.Settle(ctx, s.opts.ConfigPath, name, r.Epoch)
		}
		if err != nil {
			s.opts.Log.Error("the routes of a split do not lead to the owner of its tables", "split", name, "owner", r.Owner, "epoch", r.Epoch, "err", err)
			continue
		}
		s.opts.Log.Info("the routes of a split lead to the owner of its tables", "split", name, "owner", r.Owner, "epoch", r.Epoch, "moved", f.Changed)
	}
}

// catchUp brings the proxy to what the files say now.
func (p *Proxy) catchUp(ctx context.Context) {
	if p.opts.ConfigPath == "" {
		return
	}
	p.splitting.finish(ctx)
	_ = p.Reload() // it says by itself what is wrong
}

// limitReports is how many splits may be reported.
const limitReports = 100

// ReportSplit implements admin.Splitter.
func (p *Proxy) ReportSplit(name string, r admin.SplitReport) error {
	switch {
	case !splitName.MatchString(name):
		return program.Fail(program.Usage, "letters, digits, . _ -; at most 64", "%q is no name for a split", name)
	case r.RefusedSource < 0 || r.RefusedTarget < 0:
		return program.Fail(program.Usage, "count from 0", "less than no write cannot be refused")
	case r.Phase == "" || len(r.Phase) > 64 || len(r.Note) > 500:
		return program.Fail(program.Usage, "at most 64 and 500 bytes", "a report needs a phase, and perhaps a note")
	}
	s := p.splitting
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.reports[name]; !known && len(s.reports) >= limitReports {
		return program.Fail(program.Usage, "start the proxy again to forget them", "%d splits are reported already", limitReports)
	}
	r.At = time.Now()
	s.reports[name] = r
	return nil
}

// Splits implements admin.Splitter.
func (p *Proxy) Splits() []admin.Split {
	known := map[string]*admin.Split{}
	of := func(name string) *admin.Split {
		if known[name] == nil {
			known[name] = &admin.Split{Name: name, Owner: splits.Source, Routes: []string{}}
		}
		return known[name]
	}
	for _, r := range p.current.Load().config.Routes {
		if r.Split == "" {
			continue
		}
		split := of(r.Split)
		split.Routes = append(split.Routes, r.Name)
		if r.Data == route.DataMoved {
			split.Owner = splits.Target // also when the records cannot be read any more
		}
	}
	records, _ := splits.Read(p.opts.ConfigPath) // whoever loads the configuration says what is wrong
	for name, r := range records {
		split := of(name)
		split.Owner, split.Epoch, split.Pending, split.Since = r.Owner, r.Epoch, r.Pending, &r.Since
	}
	p.splitting.mu.Lock()
	defer p.splitting.mu.Unlock()
	for name, r := range p.splitting.reports {
		of(name).Report = &r
	}
	all := []admin.Split{}
	for _, split := range known {
		all = append(all, *split)
	}
	slices.SortFunc(all, func(a, b admin.Split) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// sameOwners reports whether two configurations agree about who owns the data behind
// their routes.
func sameOwners(a, b *config.Config) bool {
	return slices.EqualFunc(a.Routes, b.Routes, func(x, y config.Route) bool { return x.Data == y.Data })
}
