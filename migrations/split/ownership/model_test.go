package ownership_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/ownership"
)

// explore visits every state that can be reached. It returns how many there are and the
// shortest way to each rule that is broken.
func explore(l limits) (int, map[string][]string) {
	start := world{
		s: base{record: ownership.Record{Owner: source}}, t: base{record: ownership.Record{Owner: source}},
		route: ownership.Record{Owner: source},
	}
	type visit struct {
		from int
		by   string
	}
	index, order, ways := map[world]int{start: 0}, []world{start}, []visit{{-1, ""}}
	back := [][]int32{nil}
	broken := map[string][]string{}
	trace := func(i int, last string) []string {
		way := []string{last}
		for ; i > 0; i = ways[i].from {
			way = append(way, ways[i].by)
		}
		slices.Reverse(way)
		return way
	}
	for i := 0; i < len(order); i++ {
		for _, e := range l.edges(order[i]) {
			if e.bad != "" {
				if _, known := broken[e.bad]; !known {
					broken[e.bad] = trace(i, e.name)
				}
				continue
			}
			e.to.canonical()
			j, known := index[e.to]
			if !known {
				j = len(order)
				index[e.to] = j
				order, ways, back = append(order, e.to), append(ways, visit{i, e.name}), append(back, nil)
			}
			back[j] = append(back[j], int32(i))
		}
	}
	if i := stuck(order, back); i >= 0 {
		broken["I6: there is no way to a settled state"] = trace(i, fmt.Sprintf("%+v", order[i]))
	}
	return len(order), broken
}

// stuck returns a state from which no settled one can be reached, or -1.
func stuck(order []world, back [][]int32) int {
	fine := make([]bool, len(order))
	var queue []int32
	for i := range order {
		if order[i].settled() {
			fine[i] = true
			queue = append(queue, int32(i))
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		for _, j := range back[i] {
			if !fine[j] {
				fine[j] = true
				queue = append(queue, j)
			}
		}
	}
	return slices.Index(fine, false)
}

func TestEveryInterleavingKeepsTheRules(t *testing.T) {
	t.Parallel()
	life := []ownership.Owner{target, source, target}
	for name, l := range map[string]limits{
		"a life with crashes":          {goals: life, crashes: 2},
		"a life with faults":           {goals: life, faults: 2},
		"crash and fault":              {goals: life[:2], crashes: 1, faults: 1},
		"crash and fault, forward":     {goals: life[:2], crashes: 1, faults: 1, forward: true},
		"a second coordinator":         {goals: life[:2], second: true},
		"a second one, and a crash":    {goals: life[:1], second: true, crashes: 1},
		"a second one, and a fault":    {goals: life[:1], second: true, faults: 1},
		"a second one against the way": {goals: life[:2], second: true, forward: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l.steps = ownership.Steps()
			states, broken := explore(l)
			t.Logf("%d states", states)
			for rule, way := range broken {
				t.Errorf("%s\n  %s", rule, strings.Join(way, "\n  "))
			}
			if states < 500 {
				t.Errorf("only %d states: the model explores too little", states)
			}
		})
	}
}

// without returns the steps less the named ones; before moves one in front of another.
func without(names ...string) []ownership.Step {
	return slices.DeleteFunc(ownership.Steps(), func(s ownership.Step) bool { return slices.Contains(names, s.Name) })
}

func before(name, other string) []ownership.Step {
	steps := ownership.Steps()
	find := func(n string) int { return slices.IndexFunc(steps, func(s ownership.Step) bool { return s.Name == n }) }
	step := steps[find(name)]
	steps = slices.Delete(steps, find(name), find(name)+1)
	return slices.Insert(steps, find(other), step)
}

// Each of these orders or missing protections has to be caught by one of the rules: a
// model that lets them pass proves nothing.
func TestMutationsAreCaught(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits
		rule string
	}{
		"own before seal":                    {limits{steps: before("own", "seal")}, "I1"},
		"own before drain":                   {limits{steps: before("own", "drain")}, "I2"},
		"no seal":                            {limits{steps: without("seal")}, "I1"},
		"a fence that locks nothing":         {limits{steps: ownership.Steps(), noLock: true, noPending: true}, "I2"},
		"no drain":                           {limits{steps: without("drain"), noPending: true}, "I2"},
		"log read before the fence, no look": {limits{steps: before("drain", "fence"), noPending: true}, "I2"},
		"route before own":                   {limits{steps: before("route", "own")}, "I7"},
		"release before route":               {limits{steps: before("release", "route")}, "I3"},
		"requests on their way not awaited":  {limits{steps: without("requests")}, "I3"},
		"no hold":                            {limits{steps: without("hold")}, "I3"},
		"fence before hold":                  {limits{steps: before("fence", "hold")}, "I3"},
		"hold never released":                {limits{steps: without("release")}, "I6"},
		"routes never flipped":               {limits{steps: without("route")}, "I3"},
		"a claim that nobody checks":         {limits{steps: ownership.Steps(), noClaim: true, second: true, crashes: 1}, "I"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := test.limits
			l.goals = []ownership.Owner{target}
			_, broken := explore(l)
			for rule := range broken {
				if strings.HasPrefix(rule, test.rule) {
					return
				}
			}
			t.Errorf("no rule %s was broken, but %v", test.rule, broken)
		})
	}
}

// The second look at the log, in the transaction of the seal, makes even the wrong order
// safe: the switch is undone and no write is lost.
func TestLookInTheSealCoversAnEarlyDrain(t *testing.T) {
	t.Parallel()
	_, broken := explore(limits{goals: []ownership.Owner{target}, steps: before("drain", "fence")})
	for rule, way := range broken {
		t.Errorf("%s\n  %s", rule, strings.Join(way, "\n  "))
	}
}
