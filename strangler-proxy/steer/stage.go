package steer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A Move is a stage for a route or a group.
type Move struct {
	Name string
	To   route.Stage
}

// Moves reads stages by the names of routes and groups, in the order of the names.
func Moves(stages map[string]string) ([]Move, error) {
	var moves []Move
	for _, name := range slices.Sorted(maps.Keys(stages)) {
		to, err := config.ParseStage(stages[name])
		if err != nil {
			return nil, err
		}
		moves = append(moves, Move{name, to})
	}
	return moves, nil
}

// Set moves routes and groups to other stages: all of them in one write, or none. What the guard
// objects to needs Order.Force; without it the error is a *RefusedError.
func (f *File) Set(ctx context.Context, moves []Move, o Order) (*Result, error) {
	return f.edit(ctx, o, o.Action == audit.Rollback, func(d *config.Draft, r *Result) ([]audit.Entry, error) {
		return f.move(d, r, moves, o, o.Action)
	})
}

func (f *File) move(d *config.Draft, r *Result, moves []Move, o Order, action string) ([]audit.Entry, error) {
	for _, m := range moves {
		if err := d.SetStage(m.Name, m.To); err != nil {
			return nil, err
		}
	}
	var entries []audit.Entry
	for _, c := range d.Changes() {
		if !c.Changed() {
			continue
		}
		if c.To > c.From && d.Config.RequireReason && strings.TrimSpace(o.Reason) == "" {
			return nil, program.Fail(program.Usage, "add --reason", "%s goes forward without a reason, and audit.require_reason asks for one", c.Name)
		}
		e := entry(action, c.Name, c.Group, c.Routes, c.From, c.To)
		for _, name := range c.Routes {
			for _, objection := range d.Config.Objections(d.Config.Route(name), c.To, o.evidence(name)) {
				r.Objections = append(r.Objections, objection)
				if rule := string(objection.Rule); !slices.Contains(e.Forced, rule) {
					e.Forced = append(e.Forced, rule)
				}
			}
		}
		entries = append(entries, e)
	}
	if len(r.Objections) > 0 && !o.Force && !o.DryRun {
		return nil, program.Fail(program.Refused, "or overrule it with --force --reason WHY", "%w", &RefusedError{r.Objections})
	}
	return entries, nil
}

func entry(action, name string, group bool, routes []string, from, to route.Stage) audit.Entry {
	e := audit.Entry{Action: action, From: from.String(), To: to.String()}
	if group {
		e.Group, e.Routes = name, routes
	} else {
		e.Route = name
	}
	return e
}

func (o *Order) evidence(name string) route.Evidence {
	if o.Evidence == nil {
		return route.Evidence{}
	}
	return o.Evidence(name)
}

// Rollback moves a route back to the stage that it had before, as the audit log knows;
// again, and it goes further back. Without an earlier stage it goes to the monolith.
// A group goes back with all its routes, and so does a route whose group has the stage.
// From then on automation leaves them alone until somebody moves them.
func (f *File) Rollback(ctx context.Context, name string, o Order) (*Result, error) {
	return f.edit(ctx, o, true, func(d *config.Draft, r *Result) ([]audit.Entry, error) {
		all, err := subjects(d.Config, name)
		if err != nil {
			return nil, err
		}
		history, err := f.History()
		if err != nil {
			history = nil // an emergency: the monolith is the safe side
		}
		moves := make([]Move, len(all))
		for i, s := range all {
			moves[i] = Move{s.name, before(history, s.name, s.stage)}
		}
		entries, err := f.move(d, r, moves, o, audit.Rollback)
		for i, s := range all { // what stays where it is is to stay there
			if _, frozen := history.Frozen(s.name); err == nil && moves[i].To == s.stage && !frozen {
				entries = append(entries, entry(audit.Rollback, s.name, s.group, s.routes, s.stage, s.stage))
			}
		}
		return entries, err
	})
}

// A subject has a stage of its own in the file.
type subject struct {
	name   string
	group  bool
	routes []string
	stage  route.Stage
}

// subjects are what moves when name does: a route, the group that has its stage, or
// the routes of a group without one.
func subjects(cfg *config.Config, name string) ([]subject, error) {
	if r := cfg.Route(name); r != nil {
		if g := cfg.Group(r.Group); g != nil && g.Stage != 0 {
			return []subject{{g.Name, true, g.Routes, g.Stage}}, nil
		}
		return []subject{{name, false, []string{name}, r.Stage}}, nil
	}
	g := cfg.Group(name)
	switch {
	case g == nil:
		return nil, config.UnknownRoute(cfg, name)
	case g.Stage != 0:
		return []subject{{g.Name, true, g.Routes, g.Stage}}, nil
	}
	var all []subject
	for _, member := range g.Routes {
		all = append(all, subject{member, false, []string{member}, cfg.Route(member).Stage})
	}
	return all, nil
}

// before is the stage to go back to.
func before(history audit.History, name string, now route.Stage) route.Stage {
	order := func(text string) (int, bool) {
		stage, err := route.ParseStage(text)
		return int(stage), err == nil
	}
	if text, known := history.Before(name, now.String(), order); known {
		if stage, err := route.ParseStage(text); err == nil {
			return stage
		}
	}
	return route.Monolith
}

// Note writes a line about a route or group that changes no stage: audit.Pause, audit.Resume or
// audit.Confirm.
func (f *File) Note(ctx context.Context, action, name string, o Order) (*Result, error) {
	if action != audit.Pause && action != audit.Resume && action != audit.Confirm {
		return nil, fmt.Errorf("steer: %q is no note", action)
	}
	return f.edit(ctx, o, false, func(d *config.Draft, _ *Result) ([]audit.Entry, error) {
		all, err := subjects(d.Config, name)
		var entries []audit.Entry
		for _, s := range all {
			entries = append(entries, entry(action, s.name, s.group, s.routes, s.stage, s.stage))
		}
		return entries, err
	})
}
