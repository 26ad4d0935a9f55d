package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A History is the entries of a log, the oldest first.
type History []Entry

// Read reads the log at path. Lines that are no entries are left out: Verify names
// them. A log that does not exist is empty.
func Read(path string) (History, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all History
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadBytes('\n')
		if entry, bad := parse(bytes.TrimSuffix(line, []byte("\n"))); bad == nil {
			all = append(all, entry)
		}
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, fmt.Errorf("read %s: %w", path, err)
		}
	}
}

// Of keeps the entries about a route or a group, see Entry.About.
func (h History) Of(name string) History {
	var some History
	for _, e := range h {
		if e.About(name) {
			some = append(some, e)
		}
	}
	return some
}

// Stages are the stages of routes and groups after their newest entries that have one.
func (h History) Stages() map[string]string {
	stages := map[string]string{}
	for _, e := range h {
		if e.To == "" {
			continue
		}
		for _, name := range append([]string{e.Route, e.Group}, e.Routes...) {
			if name != "" {
				stages[name] = e.To
			}
		}
	}
	return stages
}

// Automatic reports whether the entry's change was made by the proxy itself.
func (e Entry) Automatic() bool { return strings.HasPrefix(e.Actor, "auto:") }

// Frozen returns the entry for which automation leaves the route or group alone: a
// rollback or a pause, until somebody moves, confirms or resumes it.
func (h History) Frozen(name string) (why Entry, frozen bool) {
	for _, e := range h.Of(name) {
		switch {
		case e.Action == Rollback || e.Action == Pause:
			why, frozen = e, true
		case e.Action == Resume || e.Action == Confirm || e.Action == Move && !e.Automatic():
			why, frozen = Entry{}, false
		}
	}
	return why, frozen
}

// Since returns when the route or group came to its present stage or was confirmed
// there: the time of its newest entry of either kind. The zero time if there is none.
func (h History) Since(name string) (last Entry, known bool) {
	for i := len(h) - 1; i >= 0; i-- {
		if e := h[i]; e.About(name) && (e.Action == Move || e.Action == Rollback || e.Action == Confirm) {
			return e, true
		}
	}
	return Entry{}, false
}

// Before returns the stage to go back to from the stage now: of those that led there,
// the one that comes last before it. order gives a stage's place on the way, and
// whether the text is one. Going back again walks further back; a stage that was left
// backwards is forgotten, so going back never leads forward.
func (h History) Before(name, now string, order func(stage string) (place int, ok bool)) (stage string, known bool) {
	here, ok := order(now)
	if !ok {
		return "", false
	}
	type step struct {
		stage string
		place int
	}
	var way []step
	visit := func(stage string) {
		place, ok := order(stage)
		if !ok {
			return
		}
		for len(way) > 0 && way[len(way)-1].place >= place {
			way = way[:len(way)-1]
		}
		way = append(way, step{stage, place})
	}
	for _, e := range h.Of(name) {
		if len(way) == 0 {
			visit(e.From)
		}
		visit(e.To)
	}
	for len(way) > 0 && way[len(way)-1].place >= here {
		way = way[:len(way)-1]
	}
	if len(way) == 0 {
		return "", false
	}
	return way[len(way)-1].stage, true
}

// Panic returns the entry that sent every route to the monolith, or nil if none did or
// it is over.
func (h History) Panic() *Entry {
	for i := len(h) - 1; i >= 0; i-- {
		switch h[i].Action {
		case Panicked:
			return &h[i]
		case Calmed:
			return nil
		}
	}
	return nil
}
