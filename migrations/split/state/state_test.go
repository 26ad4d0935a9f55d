package state_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/state"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

func db(move, owner string, epoch int64, tables ...dialect.Progress) dialect.State {
	s := dialect.State{Move: move, Record: dialect.Record{Owner: owner, Epoch: epoch}, Tables: map[string]dialect.Progress{}}
	for i, p := range tables {
		s.Tables[string(rune('a'+i))] = p
	}
	return s
}

func TestStateIsReadFromTheDatabases(t *testing.T) {
	t.Parallel()
	none := db("", "source", 0)
	fresh, half := dialect.Progress{}, dialect.Progress{Rows: 3, Cursor: value.Key{value.OfInt(3)}}
	copied, passed := dialect.Progress{Copied: true}, dialect.Progress{Copied: true, Passes: 1}
	for _, test := range []struct {
		source, target dialect.State
		want           state.State
	}{
		{none, none, state.Planned},
		{db("m", "source", 0), none, state.Expanding},
		{none, db("m", "source", 0), state.Expanding},
		{db("m", "source", 0), db("n", "source", 0), state.Conflict},
		{db("m", "source", 0), db("m", "source", 0), state.Expanded},
		{db("m", "source", 0), db("m", "source", 0, fresh, fresh), state.Expanded},
		{db("m", "source", 0), db("m", "source", 0, half, fresh), state.Copying},
		{db("m", "source", 0), db("m", "source", 0, copied, fresh), state.Copying},
		{db("m", "source", 0), db("m", "source", 0, copied, passed), state.Following},
		{db("m", "source", 0), db("m", "source", 0, passed, copied), state.Following},
		{db("m", "source", 0), db("m", "source", 0, passed, passed), state.Verified},
		{db("m", "target", 1), db("m", "source", 0, passed), state.Sealed},
		{db("m", "target", 1), db("m", "target", 1, passed), state.Window},
		{db("m", "target", 1), db("m", "source", 2, passed), state.Sealed},
		{db("m", "source", 2), db("m", "source", 2, passed), state.Verified},
		{db("m", "source", 0), db("m", "target", 1, passed), state.Conflict},
		{db("m", "target", 1), none, state.Completing},
		{none, db("m", "target", 1), state.Conflict},
	} {
		if have := state.Of(test.source, test.target); have != test.want {
			t.Errorf("source %+v and target %+v are %s, not %s", test.source, test.target, have, test.want)
		}
	}
}

// Every state can be left, but for the end and for what a person has to look at; every
// one is reached; and there is a command for it.
func TestWayHasNoDeadEnds(t *testing.T) {
	t.Parallel()
	left, reached := map[state.State]bool{}, map[state.State]bool{state.Planned: true}
	for _, c := range state.Changes() {
		left[c.From], reached[c.To] = true, true
	}
	for s := range reached {
		if !left[s] && s != state.Done {
			t.Errorf("%s is a dead end", s)
		}
		if next := state.Next(s, "reviews"); next == "" && !slices.Contains([]state.State{state.Holding, state.Fenced, state.Done}, s) {
			t.Errorf("%s: what next?", s)
		}
	}
	for s := range left {
		if !reached[s] {
			t.Errorf("nothing leads to %s", s)
		}
	}
}

// A way back may not skip the steps that keep writes: ownership moves through the seal only.
func TestOwnershipMovesThroughTheSealOnly(t *testing.T) {
	t.Parallel()
	for _, c := range state.Changes() {
		if c.To == state.Window && !slices.Contains([]state.State{state.Sealed, state.Holding, state.Fenced}, c.From) {
			t.Errorf("%s leads from %s to %s", c.By, c.From, c.To)
		}
		if c.From == state.Window && c.To != state.Holding && c.To != state.Completing {
			t.Errorf("%s leads from %s to %s", c.By, c.From, c.To)
		}
	}
	if state.Allowed(state.Copying, state.Window) || state.Allowed(state.Verified, state.Sealed) || !state.Allowed(state.Sealed, state.Window) {
		t.Error("Allowed does not follow the table")
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		state   state.State
		command string
		want    string // empty: allowed
	}{
		{state.Copying, "cutover", "split reviews is copying: cutover is not possible now; next: strangler split run reviews"},
		{state.Verified, "cutover", ""},
		{state.Window, "cutover", "next: strangler split complete reviews"},
		{state.Window, "rollback", ""},
		{state.Window, "abort", "abort is not possible now"},
		{state.Verified, "rollback", "next: strangler split cutover reviews"},
		{state.Verified, "complete", "complete is not possible now"},
		{state.Verified, "run", ""},
		{state.Window, "run", ""},
		{state.Planned, "abort", ""},
		{state.Planned, "cutover", "next: strangler split run reviews"},
		{state.Conflict, "run", "strangler split status reviews"},
		{state.Done, "complete", ""},
		{state.Completing, "rollback", "next: strangler split complete reviews"},
	} {
		err := state.Check(test.state, "reviews", "reviews", test.command)
		var e *program.Error
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s in %s: %v", test.command, test.state, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s in %s: %v", test.command, test.state, err)
		case test.want != "" && (!errors.As(err, &e) || e.Code != program.Refused):
			t.Errorf("%s in %s is not refused by a guard: %v", test.command, test.state, err)
		}
	}
}
