// Package state says where a split is on its way, which command may take it where, and
// what to do next. Where it is can be read from the two databases alone; which way it may
// go is one table.
package state

import (
	"fmt"
	"slices"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
)

// A State is a place on the way of a split.
type State string

// The states, in the order of the way.
const (
	Planned    State = "planned"    // nothing of the split is in either database
	Expanding  State = "expanding"  // the engine's objects are in one database only
	Expanded   State = "expanded"   // they are in both, and no row was copied
	Copying    State = "copying"    // rows are being copied, and changes are captured
	Following  State = "following"  // every row was copied; the target follows the source
	Verified   State = "verified"   // and was found equal
	Holding    State = "holding"    // proxies park requests for a switch
	Fenced     State = "fenced"     // the giver's tables are locked
	Sealed     State = "sealed"     // the giver takes no more writes, and the taker none yet
	Window     State = "window"     // the target owns; the source follows, and a rollback loses nothing
	Completing State = "completing" // the way back is closed; the source's tables are being removed
	Done       State = "done"       // the target owns, and nothing of the engine is left
	Aborting   State = "aborting"   // the engine's objects are being removed, the source owns
	Conflict   State = "conflict"   // the databases contradict each other: a person has to look
)

// Of reads a state from what the two databases say.
func Of(source, target dialect.State) State {
	switch {
	case source.Move == "" && target.Move == "":
		return Planned
	case source.Move != "" && target.Move != "" && source.Move != target.Move:
		return Conflict
	case target.Move == "" && source.Record.Owner == dialect.Target:
		return Completing // the target's objects are what complete removes first
	case source.Move == "" && target.Record.Owner == dialect.Target:
		return Conflict
	case source.Move == "" || target.Move == "":
		return Expanding
	}
	verdict := ownership.Decide(record(source), record(target), false)
	switch {
	case verdict.Conflict:
		return Conflict
	case verdict.Halfway:
		return Sealed
	case verdict.Owner == ownership.Target:
		return Window
	}
	return copied(target)
}

// record is what a database says about who owns the tables.
func record(s dialect.State) ownership.Record {
	return ownership.Record{Owner: ownership.Owner(s.Record.Owner), Epoch: s.Record.Epoch}
}

// copied tells how far the copy in the target is.
func copied(target dialect.State) State {
	state, begun := Verified, false
	for _, p := range target.Tables {
		begun = begun || p.Copied || p.Rows > 0 || len(p.Cursor) > 0
		switch {
		case !p.Copied:
			state = Copying
		case p.Passes == 0 && state == Verified:
			state = Following
		}
	}
	if !begun {
		return Expanded
	}
	return state
}

// A Change is an edge of the way: a command takes a split from one state to another.
type Change struct {
	From State  `json:"from"`
	By   string `json:"by"` // a command, with its step if it has several
	To   State  `json:"to"`
}

// Changes returns the whole way: every change of state that is allowed. A state may
// always stay as it is, and whatever ends a command in the middle leaves one of these
// states behind.
func Changes() []Change {
	return slices.Clone(changes)
}

var changes = []Change{
	{Planned, "run", Expanding},
	{Expanding, "run", Expanded},
	{Expanded, "run", Copying},
	{Expanded, "run", Following}, // empty tables
	{Copying, "run", Following},
	{Following, "run", Verified},
	{Verified, "run", Following}, // rows were copied again
	{Verified, "run", Copying},   // a table was scanned anew: changes may have been missed
	{Following, "run", Copying},

	{Verified, "cutover", Holding},
	{Holding, "cutover", Fenced},
	{Holding, "cutover", Verified}, // it gave up, and released
	{Fenced, "cutover", Sealed},
	{Fenced, "cutover", Verified},
	{Sealed, "cutover", Window}, // the decision
	{Sealed, "cutover", Verified},

	{Window, "rollback", Holding},
	{Holding, "rollback", Fenced},
	{Holding, "rollback", Window},
	{Fenced, "rollback", Sealed},
	{Fenced, "rollback", Window},
	{Sealed, "rollback", Verified},
	{Sealed, "rollback", Window},

	// Whatever works on a split settles a switch that was left halfway.
	{Sealed, "run", Verified},
	{Sealed, "run", Window},

	{Window, "complete", Completing},
	{Completing, "complete", Done},

	{Expanding, "abort", Aborting},
	{Expanded, "abort", Aborting},
	{Copying, "abort", Aborting},
	{Following, "abort", Aborting},
	{Verified, "abort", Aborting},
	{Aborting, "abort", Planned},
}

// Allowed reports whether a change is on the way.
func Allowed(from, to State) bool {
	return from == to || slices.ContainsFunc(changes, func(c Change) bool { return c.From == from && c.To == to })
}

// Check refuses a command that the state does not allow, and says what would help. name is
// what commands call the split: the name of its plan, or of the file.
func Check(s State, split, name, command string) error {
	if slices.ContainsFunc(changes, func(c Change) bool { return c.From == s && c.By == command }) || harmless(s, command) {
		return nil
	}
	return program.Fail(program.Refused, remedy(s, name), "split %s is %s: %s is not possible now", split, s, command)
}

// harmless reports whether a command has nothing to change in a state, but may be given.
func harmless(s State, command string) bool {
	switch command {
	case "run", "verify":
		return slices.Contains([]State{Expanding, Expanded, Copying, Following, Verified, Window, Sealed}, s) && (command == "run" || s != Expanding)
	case "abort":
		return s == Planned
	case "complete":
		return s == Done
	}
	return false
}

// remedy says what to do in a state.
func remedy(s State, name string) string {
	switch s {
	case Conflict:
		return "see `strangler split status " + name + "` for what each database says"
	case Done:
		return "nothing is left to do"
	}
	return "next: " + Next(s, name)
}

// Next is the sensible command in a state.
func Next(s State, split string) string {
	command := map[State]string{
		Planned: "run", Expanding: "run", Expanded: "run", Copying: "run", Following: "run --until verified", Verified: "cutover",
		Sealed: "run", Window: "complete", Completing: "complete", Aborting: "abort", Conflict: "status",
	}[s]
	if command == "" {
		return ""
	}
	return fmt.Sprintf("strangler split %s %s", command, split)
}
