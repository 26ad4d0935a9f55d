package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/yamldoc"
)

// A Change is what SetStage did, or would do.
type Change struct {
	Route    string
	From, To route.Stage
	Line     int    // of the file
	Before   string // that line
	After    string
	OldHash  string
	NewHash  string
}

// Changed reports whether the stage became another.
func (c Change) Changed() bool { return c.From != c.To }

// SetStage changes the stage of one route in the file at path: one line changes,
// every other byte stays. The file is checked before and after; a bad file, an
// unknown route or stage leaves it as it is. With dryRun nothing is written.
func SetStage(path, name, stage string, dryRun bool, opts Options) (Change, error) {
	to, err := route.ParseStage(stage)
	if err != nil {
		return Change{}, program.Fail(program.Usage, stageRemedy(stage), "%w", err)
	}
	opts.AllowUnset = true
	var change Change
	edit := func(source []byte) ([]byte, error) {
		after, c, err := setStage(path, source, name, to, opts)
		change = c
		return after, err
	}
	if dryRun {
		source, err := yamldoc.ReadFile(path)
		if err != nil {
			return Change{}, program.Fail(program.Usage, "give the file with --config", "%w", err)
		}
		_, err = edit(source)
		return change, err
	}
	err = yamldoc.Update(path, edit)
	var explained *program.Error
	if err != nil && !errors.Is(err, yamldoc.ErrChanged) && !errors.As(err, &explained) {
		err = program.Fail(program.Usage, "give a file that can be changed with --config", "%w", err)
	}
	return change, err
}

// stageRemedy helps with a stage that is none. An error about a canary says by itself
// how to write one.
func stageRemedy(stage string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(stage), " ")
	if slices.Contains(route.StageWords(), word) {
		return ""
	}
	return yamldoc.DidYouMean(word, route.StageWords())
}

func setStage(path string, source []byte, name string, to route.Stage, opts Options) ([]byte, Change, error) {
	cfg, doc, err := Parse(path, source, opts)
	if err != nil {
		return nil, Change{}, &program.Error{Code: program.Usage, Err: err}
	}
	r := cfg.Route(name)
	if r == nil {
		return nil, Change{}, UnknownRoute(cfg, name)
	}
	change := Change{Route: name, From: r.Stage, To: to, OldHash: cfg.Hash, NewHash: cfg.Hash}
	stage := doc.Root.Get("routes").Get(name).Get("stage")
	if stage == nil {
		return nil, change, program.Fail(program.Usage, "change the stage of group "+r.Group+" in the file", "route %q moves with its group %q and has no stage of its own", name, r.Group)
	}
	change.Line = stage.Pos.Line
	change.Before = lineOf(source, change.Line)
	change.After = change.Before
	if r.Stage == to {
		return source, change, nil
	}
	if to != route.Monolith && doc.Root.Get("routes").Get(name).Get("to") == nil {
		return nil, change, program.Fail(program.Usage, "add to: SERVICE to the route", "route %q has no service to send requests to", name)
	}
	after, err := doc.SetString(to.String(), "routes", name, "stage")
	if err != nil {
		return nil, change, program.Fail(program.Usage, "", "%w", err)
	}
	if _, _, err := Parse(path, after, opts); err != nil {
		return nil, change, fmt.Errorf("the changed file would be bad, nothing was written: %w", err)
	}
	change.After, change.NewHash = lineOf(after, change.Line), HashOf(after)
	return after, change, nil
}

// UnknownRoute is the error for a route name that cfg does not have.
func UnknownRoute(cfg *Config, name string) error {
	remedy := yamldoc.DidYouMean(name, cfg.RouteNames())
	if remedy == "" {
		remedy = "strangler route list shows the names"
	}
	return program.Fail(program.Usage, remedy, "%s has no route %q", cfg.Name, name)
}

func lineOf(source []byte, n int) string {
	lines := strings.SplitN(string(source), "\n", n+1)
	if n > len(lines) {
		return ""
	}
	return strings.TrimRight(lines[n-1], "\r")
}
