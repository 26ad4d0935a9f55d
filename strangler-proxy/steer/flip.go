package steer

import (
	"context"
	"fmt"
	"slices"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// A NotInSplitError reports a route that would flip with a split it does not belong to.
type NotInSplitError struct{ Route, Split, Has string }

func (e *NotInSplitError) Error() string {
	if e.Has != "" {
		return fmt.Sprintf("route %q belongs to split %s, not %s", e.Route, e.Has, e.Split)
	}
	return fmt.Sprintf("route %q belongs to no split", e.Route)
}

// Flip lets the routes of a split lead to the side that owns its tables now: all of them
// in one write. To the service they go live; back from it, those that are live or done go
// to the monolith, and the others stay where they are. A route whose group has the stage
// takes the group along. No guard is asked, for the tables have moved already, and it is
// made also when the log cannot be written: a route that stays behind would meet sealed
// tables.
func (f *File) Flip(ctx context.Context, split string, toService bool, routes []string, o Order) (*Result, error) {
	return f.edit(ctx, o, true, func(d *config.Draft, _ *Result) ([]audit.Entry, error) {
		all, err := flipping(d.Config, split, routes)
		if err != nil {
			return nil, err
		}
		var entries []audit.Entry
		for _, s := range all {
			to := s.stage
			switch {
			case toService && s.stage < route.Live:
				to = route.Live
			case !toService && s.stage >= route.Live:
				to = route.Monolith
			}
			if err := d.SetStage(s.name, to); err != nil {
				return nil, err
			}
			if to != s.stage {
				entries = append(entries, entry(audit.Move, s.name, s.group, s.routes, s.stage, to))
			}
		}
		return entries, nil
	})
}

// flipping are the subjects that move with routes, each once.
func flipping(cfg *config.Config, split string, routes []string) ([]subject, error) {
	var all []subject
	for _, name := range routes {
		some, err := subjects(cfg, name)
		if err != nil {
			return nil, err
		}
		for _, s := range some {
			for _, member := range s.routes {
				if has := cfg.Route(member).Split; has != split {
					return nil, program.Fail(program.Refused, "name it in the group of the route: split: "+split, "%w", &NotInSplitError{member, split, has})
				}
			}
			if !slices.ContainsFunc(all, func(other subject) bool { return other.name == s.name }) {
				all = append(all, s)
			}
		}
	}
	return all, nil
}
