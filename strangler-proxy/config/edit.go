package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/aymanbagabas/go-udiff"

	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

// EditOptions tune Edit. Values that need an unset environment variable do not matter.
type EditOptions struct {
	Options
	DryRun  bool   // write nothing
	IfMatch string // the hash that the file must have; "" means any
	Urgent  bool   // hardly wait for other editors
}

// An Edited file says what Edit did, or would do.
type Edited struct {
	Before, After *Config
	Changes       []Change // of stages
	Patch         string   // a unified diff; "" when nothing changed
}

// Changed reports whether the file became another.
func (e *Edited) Changed() bool { return e.Before.Hash != e.After.Hash }

// A StaleError reports that the file is not the one that somebody has seen.
type StaleError struct{ Name, Want, Have string }

func (e *StaleError) Error() string {
	return fmt.Sprintf("%s has hash %s, not %s: it was changed meanwhile", e.Name, e.Have, e.Want)
}

// A ReadOnlyError reports that the file cannot be replaced from here. The patch says
// what should be changed where it can be.
type ReadOnlyError struct {
	Name, Patch string
	Err         error
}

func (e *ReadOnlyError) Error() string {
	return fmt.Sprintf("%s cannot be written: %v", e.Name, e.Err)
}

// Unwrap lets errors.Is and errors.As see the cause.
func (e *ReadOnlyError) Unwrap() error { return e.Err }

// Edit lets change work on a draft of the file at path and writes the result in one
// step, while other editors wait. All that change did not touch stays, byte by byte.
// The file is checked before and after: a bad file, and an error of change, leave it
// as it is. The errors are for a user: a *program.Error says what to do, about a
// *StaleError or a *ReadOnlyError too.
func Edit(path string, o EditOptions, change func(*Draft) error) (*Edited, error) {
	o.AllowUnset = true
	var edited *Edited
	edit := func(source []byte) ([]byte, error) {
		d, err := newDraft(path, source, o)
		if err == nil {
			err = change(d)
		}
		if err != nil {
			return nil, err
		}
		edited, err = d.finish()
		return d.text(), err
	}
	var err error
	if o.DryRun {
		var source []byte
		if source, err = yamldoc.ReadFile(path); err == nil {
			_, err = edit(source)
		}
	} else {
		update := yamldoc.Update
		if o.Urgent {
			update = yamldoc.UpdateUrgently
		}
		err = update(path, edit)
	}
	if err != nil {
		return nil, explain(path, edited, err)
	}
	return edited, nil
}

// explain tells the user what to do about an error of Edit. edited is what was to be
// written, or nil if it did not come so far.
func explain(path string, edited *Edited, err error) error {
	var explained *program.Error
	var busy *filelock.BusyError
	switch {
	case errors.As(err, &busy):
		return program.Fail(program.Unreachable, busy.Remedy, "nothing was changed: %w", err)
	case errors.As(err, &explained):
		return err
	case errors.Is(err, yamldoc.ErrChanged):
		return program.Fail(program.Refused, "try again", "%w", err)
	case edited != nil && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EBUSY)):
		err = &ReadOnlyError{path, edited.Patch, err}
		return program.Fail(program.Usage, "apply the patch where the file can be changed", "%w", err)
	}
	return program.Fail(program.Usage, "give a file that can be changed with --config", "%w", err)
}

// A Draft is a configuration that is being changed. It is good for one Edit.
type Draft struct {
	Config  *Config // as it was before
	doc     *yamldoc.Document
	source  []byte // as it was before
	opts    Options
	changes []Change
}

func newDraft(path string, source []byte, o EditOptions) (*Draft, error) {
	if have := HashOf(source); o.IfMatch != "" && o.IfMatch != have {
		return nil, program.Fail(program.Refused, "look at the file again", "%w", &StaleError{path, o.IfMatch, have})
	}
	cfg, doc, err := Parse(path, source, o.Options)
	if err != nil {
		return nil, &program.Error{Code: program.Usage, Err: err}
	}
	return &Draft{Config: cfg, doc: doc, source: source, opts: o.Options}, nil
}

// text is the file as it has become so far.
func (d *Draft) text() []byte { return d.doc.Source() }

// take goes on with after, the result of a splice.
func (d *Draft) take(after []byte, err error) error {
	if err != nil {
		return program.Fail(program.Usage, "", "%w", err)
	}
	doc, err := yamldoc.Parse(d.doc.Name, after)
	if err != nil {
		return fmt.Errorf("the changed file would be bad, nothing was written: %w", err)
	}
	d.doc = doc
	return nil
}

// Has reports whether the top level has a key.
func (d *Draft) Has(key string) bool { return d.doc.Root.Get(key) != nil }

// Insert adds a key with a text to the top level.
func (d *Draft) Insert(key, value string) error { return d.take(d.doc.InsertTop(key, value)) }

// Remove takes a key with a text out of the top level.
func (d *Draft) Remove(key string) error { return d.take(d.doc.RemoveTop(key)) }

// finish checks what the draft has become.
func (d *Draft) finish() (*Edited, error) {
	after, _, err := Parse(d.doc.Name, d.text(), d.opts)
	if err != nil {
		return nil, fmt.Errorf("the changed file would be bad, nothing was written: %w", err)
	}
	e := &Edited{Before: d.Config, After: after, Changes: d.changes}
	if e.Changed() {
		e.Patch = udiff.Unified(d.doc.Name, d.doc.Name, string(d.source), string(d.text()))
	}
	for i := range e.Changes { // other changes of the draft may have moved the line
		c := &e.Changes[i]
		c.Line = d.stageOf(*c).Pos.Line
		c.After = lineOf(d.text(), c.Line)
	}
	return e, nil
}

// A Change is a stage that became another, or is what it was to be already.
type Change struct {
	Name          string // of the route, or of the group that has the stage
	Group         bool
	Routes        []string // whose stage it is
	From, To      route.Stage
	Line          int // of the file
	Before, After string
}

// Changed reports whether the stage became another.
func (c Change) Changed() bool { return c.From != c.To }

// SetStage changes the stage of a route or of a group. That is one line of the file,
// or one for each route of a group without a stage of its own.
func (d *Draft) SetStage(name string, to route.Stage) error {
	if g := d.Config.Group(name); g != nil {
		if g.Stage != 0 {
			return d.setStage(Change{Name: name, Group: true, Routes: g.Routes, From: g.Stage, To: to})
		}
		for _, member := range g.Routes {
			if err := d.SetStage(member, to); err != nil {
				return err
			}
		}
		return nil
	}
	r := d.Config.Route(name)
	if r == nil {
		return UnknownRoute(d.Config, name)
	}
	if g := d.Config.Group(r.Group); g != nil && g.Stage != 0 {
		return program.Fail(program.Usage, fmt.Sprintf("move %s instead", g.Name), "route %q moves with its group %q, which has the stage", name, g.Name)
	}
	return d.setStage(Change{Name: name, Routes: []string{name}, From: r.Stage, To: to})
}

func (d *Draft) setStage(c Change) error {
	if slices.ContainsFunc(d.changes, func(other Change) bool { return other.Name == c.Name }) {
		return program.Fail(program.Usage, "name it once", "%s would get two stages", c.Name)
	}
	c.Before = lineOf(d.text(), d.stageOf(c).Pos.Line)
	d.changes = append(d.changes, c)
	if !c.Changed() {
		return nil
	}
	for _, name := range c.Routes {
		if c.To != route.Monolith && d.doc.Root.Get("routes").Get(name).Get("to") == nil {
			return program.Fail(program.Usage, "add to: SERVICE to the route", "route %q has no service to send requests to", name)
		}
	}
	return d.take(d.doc.SetString(c.To.String(), section(c), c.Name, "stage"))
}

func section(c Change) string {
	if c.Group {
		return "groups"
	}
	return "routes"
}

func (d *Draft) stageOf(c Change) *yamldoc.Node {
	return d.doc.Root.Get(section(c)).Get(c.Name).Get("stage")
}

// Changes are the stages that were set so far.
func (d *Draft) Changes() []Change { return d.changes }

// ParseStage reads a stage that a user gave.
func ParseStage(text string) (route.Stage, error) {
	stage, err := route.ParseStage(text)
	if err != nil {
		return 0, program.Fail(program.Usage, stageRemedy(text), "%w", err)
	}
	return stage, nil
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

// An UnknownRouteError reports a name that is no route's and no group's.
type UnknownRouteError struct{ File, Name string }

func (e *UnknownRouteError) Error() string { return fmt.Sprintf("%s has no route %q", e.File, e.Name) }

// UnknownRoute is the error for a route name that cfg does not have.
func UnknownRoute(cfg *Config, name string) error {
	remedy := yamldoc.DidYouMean(name, append(cfg.RouteNames(), cfg.GroupNames()...))
	if remedy == "" {
		remedy = "strangler route list shows the names"
	}
	return program.Fail(program.Usage, remedy, "%w", &UnknownRouteError{cfg.Name, name})
}

func lineOf(source []byte, n int) string {
	lines := strings.SplitN(string(source), "\n", n+1)
	if n > len(lines) {
		return ""
	}
	return strings.TrimRight(lines[n-1], "\r")
}
