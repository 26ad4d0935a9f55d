package route

import (
	"cmp"
	"fmt"
	"strings"
)

// A Move is a change of a route's stage that somebody wants, and what is known for it.
type Move struct {
	Route    string
	From, To Stage
	Method   string // of the route's match; "" for every method
	Data     Data
	Split    string // the split that moves the route's data; may be empty
	Evidence Evidence
	Limits   Limits // the zero value means DefaultLimits
}

// Evidence is how the service has done as a shadow of the monolith on this route. The
// zero value is none.
type Evidence struct {
	Compared   uint64 // copies whose answers were compared
	Mismatches uint64 // of these, with a difference that counts
}

// Limits say what evidence is enough.
type Limits struct {
	Compared uint64 // so many compared copies at least
	Mismatch int    // and so many of them may differ at most, in hundredths of a percent
}

// DefaultLimits are the limits of a file that says nothing.
func DefaultLimits() Limits { return Limits{Compared: 100, Mismatch: 1_00} }

// An Objection is a reason against a Move.
type Objection struct {
	Rule   Rule   `json:"rule"`
	Text   string `json:"text"`
	Remedy string `json:"remedy"`
}

// A Rule names what a Move goes against.
type Rule string

// The rules.
const (
	RuleSteps    Rule = "steps"    // one stage at a time
	RuleEvidence Rule = "evidence" // live needs compared copies that agree
	RuleWrites   Rule = "writes"   // who changes data must own it
	RuleDone     Rule = "done"     // nothing leaves done
)

// Guard reports everything that speaks against m; nil means nothing does. Going back
// needs no proof, so that the way back is always open: only leaving done, where the
// monolith may have forgotten how to answer, and leaving a service that owns the data
// are objected to. Whether somebody may overrule an objection is the caller's business.
func Guard(m Move) []Objection {
	var all []Objection
	object := func(o *Objection) {
		if o != nil {
			all = append(all, *o)
		}
	}
	m.Limits = cmp.Or(m.Limits, DefaultLimits())
	if m.To <= m.From {
		object(m.leavesDone())
		object(m.leavesOwner())
		return all
	}
	object(m.skips())
	object(m.proof())
	object(m.writes())
	return all
}

// skips objects to more than one stage at once.
func (m Move) skips() *Objection {
	if m.To.Step() <= max(m.From.Step(), 0)+1 {
		return nil
	}
	next := Stage(max(m.From.Step(), 0)+2) << stageBits
	between := StageWords()[next.Step():m.To.Step()]
	return &Objection{
		RuleSteps, fmt.Sprintf("from %s to %s skips %s", m.From, m.To, strings.Join(between, " and ")),
		fmt.Sprintf("go to %s first", example(next)),
	}
}

// example is a stage that can be written as it stands.
func example(s Stage) Stage {
	if s.IsCanary() {
		return Canary(5_00)
	}
	return s
}

// proof objects to live without comparisons that agree.
func (m Move) proof() *Objection {
	e, l := m.Evidence, m.Limits
	switch {
	case m.From >= Live || m.To < Live || m.onlyWrites():
		return nil // nothing of it can be copied, so nothing can be proven
	case e.Compared < l.Compared:
		return &Objection{
			RuleEvidence, fmt.Sprintf("%d of at least %d copies were compared", e.Compared, l.Compared),
			fmt.Sprintf("leave it at shadow or canary until %d more were compared", l.Compared-e.Compared),
		}
	case e.Mismatches*Everyone > uint64(l.Mismatch)*e.Compared:
		return &Objection{
			RuleEvidence, fmt.Sprintf("%d of %d compared copies differ, more than %s", e.Mismatches, e.Compared, Percent(l.Mismatch)),
			"look at the differences: strangler route mismatches " + m.Route,
		}
	}
	return nil
}

// writes objects to a service that would answer for data it does not own. A split
// flips reads and writes together, so before it has done that not even reads go live.
func (m Move) writes() *Objection {
	goesLive := m.To >= Live && m.From < Live
	starts := m.onlyWrites() && m.To.IsCanary() && m.From < canaryNone
	switch {
	case !goesLive && !starts, m.Data == DataNone, m.Data == DataMoved:
		return nil
	case m.Data == DataSplit:
		return &Objection{
			RuleWrites, fmt.Sprintf("the monolith still owns the tables of split %s", m.Split),
			"strangler split cutover " + m.Split + " moves the tables and their routes together",
		}
	case m.onlyReads():
		return nil
	}
	return &Objection{
		RuleWrites, fmt.Sprintf("it takes requests that change data (%s), and nothing says that the service owns what they change", m.methods()),
		"say data: none at the route if the service has no data of its own, name the split in its group, or match GET alone",
	}
}

func (m Move) leavesDone() *Objection {
	if m.From != Done || m.To == Done {
		return nil
	}
	return &Objection{
		RuleDone, "the route is done: the monolith may not know any more how to answer it",
		"make sure that it does, and say so with --force --reason",
	}
}

// leavesOwner objects to sending requests back to tables that are sealed.
func (m Move) leavesOwner() *Objection {
	if m.Data != DataMoved || m.onlyReads() || m.From < Live || m.To >= Live {
		return nil
	}
	return &Objection{
		RuleWrites, fmt.Sprintf("the service owns the tables of split %s, and the monolith's are sealed", m.Split),
		"strangler split rollback " + m.Split + " moves the tables and this route back together",
	}
}

func (m Move) onlyReads() bool { return m.Method != "" && Safe(m.Method) }

func (m Move) onlyWrites() bool { return m.Method != "" && !Safe(m.Method) }

func (m Move) methods() string {
	if m.Method == "" {
		return "every method"
	}
	return m.Method
}
