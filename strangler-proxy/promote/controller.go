package promote

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A Site is the proxy as a Controller sees it.
type Site interface {
	// Survey says what is in use.
	Survey() Survey
	// History is the audit log of the file.
	History() (audit.History, error)
	// Apply writes the move into the file if that still has the move's hash, and notes
	// it in the audit log. It returns ErrStale if the file has another, and an error
	// that says why if the move is refused.
	Apply(ctx context.Context, m Move) error
}

// ErrStale reports that the file is not the one that a move was decided on: somebody
// else, perhaps another proxy on the same file, was faster.
var ErrStale = errors.New("the configuration has changed meanwhile")

// A Survey is a configuration in use, as far as automation cares.
type Survey struct {
	Hash   string
	Held   string // why nothing may be moved now; empty when it may
	Routes []Route
}

// A Route is a route that may be moved, or a group whose routes move together.
type Route struct {
	Name     string
	Stage    route.Stage
	Settings *Settings     // nil: it is not promoted
	Expires  time.Duration // how long a canary lasts that nobody confirms; 0 means for ever
	Members  []Member      // the route itself, or the group's routes
}

// A Member is a route whose clients are looked at.
type Member struct {
	Name   string
	Window *Window
	Copies func() Copies // nil: nothing is compared
}

// A Move is a change of stage that is due.
type Move struct {
	Route    string
	From, To route.Stage
	Actor    string // who the audit log says it was
	Action   string // audit.Move or audit.Rollback
	Reason   string
	Hash     string // of the configuration that it was decided on
}

// The actors of the moves.
const (
	ActorPromote  = "auto:promote"  // every check passed for long enough
	ActorRollback = "auto:rollback" // checks failed
	ActorExpired  = "auto:expired"  // nobody confirmed a canary in time
)

// Options tune a Controller. The zero value is fit for production.
type Options struct {
	Log   *slog.Logger // nil discards
	Moved func(Move)   // called after each move; nil ignores them
}

// A Controller moves the routes of one Site. Proxies that share a file each have one:
// whoever is first moves a route, and the others see the new file. Goroutines may share it.
type Controller struct {
	site   Site
	opts   Options
	states map[string]*state // used by Run alone

	mu    sync.Mutex
	shown map[string]Status
}

// New returns a Controller for site.
func New(site Site, opts Options) *Controller {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Moved == nil {
		opts.Moved = func(Move) {}
	}
	return &Controller{site: site, opts: opts, states: map[string]*state{}, shown: map[string]Status{}}
}

// How often Run looks: after idle, or sooner if a route asks for it.
const idle = 500 * time.Millisecond

// Run looks at the routes and moves them until ctx ends.
func (c *Controller) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(c.look(ctx))
		}
	}
}

// look goes through all routes once and says when to look again.
func (c *Controller) look(ctx context.Context) (pause time.Duration) {
	survey := c.site.Survey()
	history, err := c.site.History()
	held := survey.Held
	if err != nil && held == "" {
		held = "the audit log cannot be read: " + err.Error()
	}
	pause = idle
	known := map[string]*state{}
	shown := map[string]Status{}
	for _, r := range survey.Routes {
		s := c.states[r.Name]
		if s == nil {
			s = &state{}
		}
		known[r.Name] = s
		if r.Settings != nil {
			pause = min(pause, r.Settings.Check)
		}
		now := time.Now()
		s.meet(now, r)
		s.consider(now, r, history, held)
		if m, due := s.due(now, r, history); due && s.moved != survey.Hash {
			m.Hash = survey.Hash
			c.move(ctx, s, m)
		}
		shown[r.Name] = s.status(r)
	}
	c.states = known
	c.mu.Lock()
	c.shown = shown
	c.mu.Unlock()
	return pause
}

func (c *Controller) move(ctx context.Context, s *state, m Move) {
	err := c.site.Apply(ctx, m)
	switch {
	case errors.Is(err, ErrStale), ctx.Err() != nil:
		return // there is another configuration to look at
	case err != nil:
		if s.problem != err.Error() {
			c.opts.Log.Error("route not moved", "route", m.Route, "from", m.From.String(), "to", m.To.String(), "actor", m.Actor, "error", err.Error())
		}
		s.problem = err.Error()
		return
	}
	s.moved, s.problem = m.Hash, ""
	level := slog.LevelInfo
	if m.Actor != ActorPromote {
		level = slog.LevelWarn
	}
	c.opts.Log.Log(ctx, level, "route moved", "route", m.Route, "from", m.From.String(), "to", m.To.String(), "actor", m.Actor, "reason", m.Reason)
	c.opts.Moved(m)
}

// Status is how the automation of a route or group stands; false if it has none.
func (c *Controller) Status(name string) (Status, bool) {
	c.mu.Lock()
	s, ok := c.shown[name]
	c.mu.Unlock()
	if !ok {
		return Status{}, false
	}
	now := time.Now()
	s.NextIn, s.LeaseLeft = left(now, s.NextAt), left(now, s.LeaseUntil)
	return s, true
}

// left is the time from now until then, in words; empty if then is nil.
func left(now time.Time, then *time.Time) string {
	if then == nil {
		return ""
	}
	return max(then.Sub(now), 0).Round(time.Second).String()
}
