package promote_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A file is a configuration and its audit log. They are read anew after each change.
type file struct {
	path string
	log  *audit.Log

	mu      sync.Mutex
	config  *config.Config
	history audit.History
}

// A site is one proxy on a file that others may share.
type site struct {
	*file
	settings *promote.Settings
	expires  time.Duration
	window   *promote.Window
	copies   promote.Copies
	held     atomic.Value  // string
	slow     time.Duration // of Apply
	asked    atomic.Int32  // how often Apply was called
}

// newFile writes a configuration with the route r at stage.
func newFile(t testing.TB, stage string) *file {
	path := filepath.Join(t.TempDir(), "strangler.yaml")
	text := fmt.Sprintf("version: 1\nmonolith: http://m\nservices: { s: http://s }\nroutes:\n  r: { match: GET /r, to: s, stage: %s }\n", stage)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &file{path: path, log: audit.Of(path)}
}

func newSite(f *file, settings *promote.Settings) *site {
	s := &site{file: f, settings: settings, window: promote.NewWindow(promote.DefaultWindow, 200)}
	if settings != nil {
		s.window = promote.NewWindow(settings.Every, settings.MinRequests)
	}
	return s
}

func (f *file) read() (*config.Config, audit.History) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.config != nil {
		return f.config, f.history
	}
	source, err := os.ReadFile(f.path)
	if err == nil {
		f.config, _, err = config.Parse(f.path, source, config.Options{})
	}
	if err == nil {
		f.history, err = audit.Read(f.log.Path())
	}
	if err != nil {
		panic(err)
	}
	return f.config, f.history
}

func (f *file) changed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.config = nil
}

func (f *file) stage() string {
	cfg, _ := f.read()
	return cfg.Route("r").Stage.String()
}

// Survey implements promote.Site.
func (s *site) Survey() promote.Survey {
	cfg, _ := s.read()
	member := promote.Member{Name: "r", Window: s.window, Copies: func() promote.Copies { return s.copies }}
	return promote.Survey{Hash: cfg.Hash, Held: s.heldBy(), Routes: []promote.Route{{
		Name: "r", Stage: cfg.Route("r").Stage, Settings: s.settings, Expires: s.expires, Members: []promote.Member{member},
	}}}
}

func (s *site) heldBy() string {
	why, _ := s.held.Load().(string)
	return why
}

// History implements promote.Site.
func (s *site) History() (audit.History, error) {
	_, history := s.read()
	return history, nil
}

// Apply implements promote.Site.
func (s *site) Apply(ctx context.Context, m promote.Move) error {
	s.asked.Add(1)
	time.Sleep(s.slow)
	return s.change(ctx, m.Hash, audit.Entry{Actor: m.Actor, Action: m.Action, To: m.To.String(), Reason: m.Reason})
}

// change sets the stage; without a hash it is a human who does not look first.
func (f *file) change(ctx context.Context, hash string, e audit.Entry) error {
	defer f.changed()
	return f.log.Change(ctx, func(string) ([]audit.Entry, error) {
		// The file itself says whether it is the expected one: what was read before may
		// be older than a change that somebody made while we waited for the lock.
		done, err := config.Edit(f.path, config.EditOptions{IfMatch: hash}, func(d *config.Draft) error {
			to, err := config.ParseStage(e.To)
			if err != nil {
				return err
			}
			return d.SetStage("r", to)
		})
		var stale *config.StaleError
		if errors.As(err, &stale) {
			return nil, fmt.Errorf("%w: %w", promote.ErrStale, err)
		}
		if err != nil {
			return nil, err
		}
		e.Time, e.Route, e.From, e.OldHash, e.NewHash = time.Now(), "r", done.Changes[0].From.String(), done.Before.Hash, done.After.Hash
		return []audit.Entry{e}, nil
	})
}

// human notes what somebody does: a move if to is not empty.
func (f *file) human(t testing.TB, action, to string) {
	e := audit.Entry{Time: time.Now(), Actor: "cli:somebody", Action: action, Route: "r", To: to, Reason: "test"}
	var err error
	if to == "" {
		e.From, e.To = f.stage(), f.stage()
		err = f.log.Append(t.Context(), e)
		f.changed()
	} else {
		err = f.change(t.Context(), "", e)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run lets a Controller look after s until the test ends.
func (s *site) run(t testing.TB) *promote.Controller {
	c := promote.New(s, promote.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return c
}

// traffic serves perSecond requests of each side for a while; of the service's, one in
// every failing fails, none if that is 0.
func (s *site) traffic(d time.Duration, perSecond, failing int) {
	for n := range int(d / time.Second) {
		for i := range perSecond {
			s.window.Observe(time.Now(), route.ToMonolith, false, 10*time.Millisecond)
			s.window.Observe(time.Now(), route.ToService, failing > 0 && (n*perSecond+i)%failing == 0, 10*time.Millisecond)
		}
		time.Sleep(time.Second)
	}
}

// moves lists the moves of the log, each as "actor from -> to".
func (f *file) moves() []string {
	_, history := f.read()
	var all []string
	for _, e := range history {
		if e.From != e.To {
			all = append(all, e.Actor+" "+e.From+" -> "+e.To)
		}
	}
	return all
}
