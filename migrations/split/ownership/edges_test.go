package ownership_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/stranglerfig/toolkit/migrations/split/ownership"
)

// An edge is one thing that can happen.
type edge struct {
	name string
	to   world
	bad  string
}

// edges lists what can happen in w.
func (l *limits) edges(w world) []edge {
	var list []edge
	add := func(name string, change func(n *world)) {
		n := w
		change(&n)
		list = append(list, edge{name, n, ""})
	}
	l.environment(w, add, &list)
	for i := range w.workers {
		l.worker(w, int8(i), add, &list)
	}
	return list
}

// environment is everything that no coordinator does.
func (l *limits) environment(w world, add func(string, func(*world)), list *[]edge) {
	for _, o := range []ownership.Owner{source, target} {
		b := w.base(o)
		if b.open(o) && b.fence == 0 && b.log < 1 {
			add("another program writes to the "+string(o), func(n *world) { n.base(o).log++ })
		}
		if b.open(o) && b.log > 0 && !w.base(o.Other()).open(o.Other()) {
			add("a change is applied", func(n *world) { n.base(o).log-- })
		}
		if b.fence != 0 && w.faults < l.faults {
			add("the fence of the "+string(o)+" is lost", func(n *world) { n.base(o).fence = 0; n.bad = true; n.faults++ })
		}
	}
	if w.held != 0 && w.faults < l.faults {
		add("the hold expires", func(n *world) { n.letGo(); n.bad = true; n.faults++ })
		add("the proxy restarts", func(n *world) { n.held, n.parked, n.flying, n.bad = 0, false, "", true; n.faults++ })
	}
	switch {
	case w.held != 0 && !w.parked:
		add("a request is parked", func(n *world) { n.parked = true })
	case w.held == 0 && w.flying == "":
		add("a request comes", func(n *world) { n.flying = n.route.Owner })
	}
	if w.flying != "" {
		add("the request ends", func(n *world) { n.flying = "" })
		b := w.base(w.flying)
		switch {
		case b.fence != 0 || !b.open(w.flying):
			if !w.bad {
				*list = append(*list, edge{"the request writes", w, "I3: a client's write was fenced or refused by the " + string(w.flying)})
			}
		case b.log < 1:
			add("the request writes", func(n *world) { n.base(n.flying).log++; n.flying = "" })
		}
	}
}

// worker is what coordinator i can do next.
func (l *limits) worker(w world, i int8, add func(string, func(*world)), list *[]edge) {
	c := w.workers[i]
	name := func(what string) string { return fmt.Sprintf("coordinator %d: %s", i+1, what) }
	switch c.doing {
	case "":
		if i == 0 && int(c.goal) < len(l.goals) || i == 1 && l.second && !w.begun {
			add(name("starts"), func(n *world) { l.begin(n, i) })
		}
		return
	case "dead":
		add(name("is started again"), func(n *world) { l.begin(n, i) })
		return
	case "claim":
		b := w.base([]ownership.Owner{source, target}[c.at])
		if b.fence == 0 || b.fence == i+1 {
			add(name("claims"), func(n *world) { claim(n, i) })
		}
	case "decide":
		*list = append(*list, l.decide(w, i))
	case "settle":
		l.step(w, i, ownership.Settling(ownership.Verdict{Owner: c.sw.Owner, Epoch: c.sw.Epoch, Halfway: c.half}), list)
	case "switch":
		l.step(w, i, l.steps, list)
	}
	if w.crashes < l.crashes {
		add(name("is killed"), func(n *world) { die(n, i, "dead"); n.crashes++ })
	}
}

func (l *limits) begin(n *world, i int8) {
	goal := n.workers[i].goal
	if i == 1 {
		n.begun = true
	}
	n.workers[i] = worker{doing: "claim", claim: max(n.s.claim, n.t.claim) + 1, goal: goal}
}

func claim(n *world, i int8) {
	c := &n.workers[i]
	b := n.base([]ownership.Owner{source, target}[c.at])
	if b.claim >= c.claim {
		die(n, i, "dead") // somebody was faster; it will be started again, as people do
		return
	}
	b.claim = c.claim
	if c.at++; c.at == 2 {
		c.doing, c.at = "decide", 0
	}
}

// die frees what a process holds.
func die(n *world, i int8, doing string) {
	for _, b := range []*base{&n.s, &n.t} {
		if b.fence == i+1 {
			b.fence = 0
		}
	}
	n.workers[i] = worker{doing: doing, goal: n.workers[i].goal}
}

func (l *limits) goal(w *world, i int8) ownership.Owner {
	if i == 1 {
		return target // the second one is a cut-over that somebody else starts
	}
	return l.goals[w.workers[i].goal]
}

func (l *limits) decide(w world, i int8) edge {
	a := &actor{w: &w, me: i, lim: l}
	v, err := ownership.Read(context.Background(), a.parties(), l.forward)
	e := edge{name: fmt.Sprintf("coordinator %d: reads both records: %s", i+1, v.Meaning)}
	if err != nil {
		e.bad = "I5: " + err.Error()
	}
	c := &w.workers[i]
	c.doing, c.at, c.sw, c.half = "settle", 0, ownership.Record{Owner: v.Owner, Epoch: v.Epoch}, v.Halfway
	e.to = w
	return e
}

// step runs steps[at], with every fault that is left, and says what comes after it.
func (l *limits) step(w world, i int8, steps []ownership.Step, list *[]edge) {
	for fail := range 3 {
		if fail > 0 && w.faults >= l.faults {
			return
		}
		n := w
		c := &n.workers[i]
		a := &actor{w: &n, me: i, lim: l, fail: fail}
		step := steps[c.at]
		sw := &ownership.Switch{Parties: a.parties(), To: c.sw.Owner, Epoch: c.sw.Epoch, Flow: flow{a, c.sw.Owner.Other()}}
		sw.Locked = fenced{side{a, c.sw.Owner.Other()}}
		err := step.Run(context.Background(), sw)
		if a.made > 1 {
			a.bad = "step " + step.Name + " has more than one effect"
		}
		if a.wait && fail > 0 || fail > 0 && !errors.Is(err, errFault) {
			return // it waits, or the step has nothing that can fail
		}
		if fail > 0 {
			n.faults++
		}
		label := fmt.Sprintf("coordinator %d: %s", i+1, step.Name)
		switch {
		case errors.Is(err, ownership.ErrClaimLost):
			die(&n, i, "dead")
			label += " (claim lost)"
		case err != nil && a.wait:
			return
		case err != nil && c.doing == "switch":
			sw.Locked.Release()
			c.doing, c.at = "decide", 0
			label += " (" + err.Error() + ")"
		case err != nil:
			die(&n, i, "dead") // settling failed: the command ends with an error and is given again
			label += " (" + err.Error() + ")"
		default:
			l.advance(&n, i, len(steps))
		}
		*list = append(*list, edge{label, n, a.bad})
	}
}

// advance moves coordinator i on after a step that succeeded.
func (l *limits) advance(n *world, i int8, steps int) {
	c := &n.workers[i]
	if c.at++; int(c.at) < steps {
		return
	}
	c.at = 0
	switch {
	case c.doing == "settle" && c.sw.Owner != l.goal(n, i):
		c.doing, c.sw = "switch", ownership.Record{Owner: l.goal(n, i), Epoch: c.sw.Epoch + 1}
	default: // the goal is reached
		if i == 0 {
			c.goal++
		}
		die(n, i, "")
	}
	c.half = false
}
