package ownership

import (
	"context"
	"fmt"
)

// A Verdict is what the records of both databases mean.
type Verdict struct {
	Meaning  string
	Owner    Owner // who owns, or will when the verdict is carried out
	Epoch    int64 // of the owner's record then
	Halfway  bool  // the giver is sealed and nobody has taken over: Owner has to be opened
	Conflict bool  // both databases say that they own the tables: a person has to look
}

// Decide reads the two records. It is the whole of recovery: no file, clock, proxy or
// memory of a coordinator takes part. Epochs tell which way an unfinished switch went,
// because the giver is sealed first. An unfinished switch is undone, or finished if
// forward is set; both are safe, since nobody could write in between.
func Decide(source, target Record, forward bool) Verdict {
	latest := max(source.Epoch, target.Epoch)
	switch {
	case source.Owner == target.Owner:
		return Verdict{Meaning: "decided", Owner: source.Owner, Epoch: latest}
	case source.Owner == Source:
		return Verdict{Meaning: "both say that they own the tables", Conflict: true, Epoch: latest}
	case source.Epoch == target.Epoch:
		return Verdict{Meaning: "each says that the other owns the tables, in the same epoch", Conflict: true, Epoch: latest}
	}
	giver := Source
	if target.Epoch > source.Epoch {
		giver = Target
	}
	meaning := fmt.Sprintf("the %s is sealed and the %s has not taken over", giver, giver.Other())
	if forward {
		return Verdict{Meaning: meaning, Owner: giver.Other(), Epoch: latest, Halfway: true}
	}
	// Undoing is a decision too, so it gets an epoch of its own: an epoch never
	// stands for two owners.
	return Verdict{Meaning: meaning, Owner: giver, Epoch: latest + 1, Halfway: true}
}

// A ConflictError shows two records that no order of the steps can leave behind: somebody
// else has written them. Nothing was changed.
type ConflictError struct {
	Source, Target Record
	Meaning        string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: the source's record says %s, the target's says %s; somebody has changed _strangler_owner by hand: "+
		"stop the writes, find out which side has the latest rows, and set the other side's record to the same owner and epoch", e.Meaning, e.Source, e.Target)
}

// Settling returns the steps that carry a verdict out.
func Settling(v Verdict) []Step {
	var steps []Step
	if v.Halfway {
		steps = append(steps, Step{"settle-own", Committed, own, says("open {taker} for writes (epoch {epoch})")})
	}
	if v.Epoch > 0 {
		steps = append(steps, Step{"settle-route", Committed, route, says("lead the split's routes to {taker}")})
	}
	return append(steps, Step{"settle-release", Committed, release, says("let the parked requests go")})
}

// Settle finishes or undoes whatever a switch left behind, and returns the verdict that
// it carried out. The caller has claimed both databases before, so that no other
// coordinator can change a record meanwhile. It may be called at any time and repeated.
func Settle(ctx context.Context, p Parties, opts Options) (Verdict, error) {
	verdict, err := Read(ctx, p, opts.Forward)
	if err != nil {
		return verdict, err
	}
	s := &Switch{Parties: p, To: verdict.Owner, Epoch: verdict.Epoch, Options: opts}
	for _, step := range Settling(verdict) {
		if err := s.do(ctx, step); err != nil {
			return verdict, err
		}
	}
	return verdict, nil
}

// Read reads both records and decides, and changes nothing.
func Read(ctx context.Context, p Parties, forward bool) (Verdict, error) {
	source, err := p.Source.Record(ctx)
	if err != nil {
		return Verdict{}, fmt.Errorf("read who owns the tables in the source: %w", err)
	}
	target, err := p.Target.Record(ctx)
	if err != nil {
		return Verdict{}, fmt.Errorf("read who owns the tables in the target: %w", err)
	}
	verdict := Decide(source, target, forward)
	if verdict.Conflict {
		return verdict, &ConflictError{Source: source, Target: target, Meaning: verdict.Meaning}
	}
	return verdict, nil
}
