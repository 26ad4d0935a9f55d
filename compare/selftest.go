package compare

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/stranglerfig/toolkit/compare/align"
	"github.com/stranglerfig/toolkit/compare/differ"
)

// A SelfTest says how much of what could go wrong in AFTER a comparison would see.
type SelfTest struct {
	Schema int          `json:"schema"`
	Kinds  []Detection  `json:"kinds"`
	Total  Detection    `json:"total"`
	Blind  []BlindPlace `json:"blind"` // places where changes are missed, the most frequent first
}

// A Detection counts the changes of one kind.
type Detection struct {
	Kind  string `json:"kind"`
	Tried int    `json:"tried"`
	Found int    `json:"found"`
}

// Percent is the share that was found.
func (d Detection) Percent() float64 {
	if d.Tried == 0 {
		return 100
	}
	return 100 * float64(d.Found) / float64(d.Tried)
}

// A BlindPlace is a place of a route at which changes were missed.
type BlindPlace struct {
	Route  string   `json:"route"`
	Class  string   `json:"class"`
	Kinds  []string `json:"kinds"`
	Missed int      `json:"missed"`
}

// mutations are what is done to one value of an answer; nil means that it does not apply.
var mutations = []struct {
	kind   string
	mutate func(v any, s *mutants) (any, bool)
}{
	{"dropped", func(any, *mutants) (any, bool) { return dropped{}, true }},
	{"null", func(v any, _ *mutants) (any, bool) { return nil, v != nil }},
	{"another type", retyped},
	{"off by one", offByOne},
	{"another text", otherText},
	{"another row's id", func(v any, s *mutants) (any, bool) { return s.anotherRow(v) }},
	{"another format", reformatted},
}

type dropped struct{}

// limits of a self-test: it goes through so many exchanges, evenly spread, and so many
// values of each.
const (
	maxMutated   = 1500
	maxPerAnswer = 12
)

// A mutants changes the answers of one run, one value at a time.
type mutants struct {
	before, after *side
	plan          align.Plan
	suite         *differ.Suite
	ids           []string // minted by writes, in order
	idSet         map[string]int
}

// TestItself changes single values in the answers of AFTER and counts which changes a
// comparison finds. With no AFTER the last run of BEFORE takes its place.
func TestItself(in Recordings, opts Options) (*SelfTest, error) {
	if len(in.After) == 0 && len(in.Before) > 2 {
		last := len(in.Before) - 1
		in.Before, in.After = in.Before[:last], in.Before[last:]
	} else if len(in.After) == 0 && len(in.Before) == 2 {
		in.After = in.Before[1:]
	}
	if len(in.Before) < 2 || len(in.After) == 0 {
		return nil, fmt.Errorf("a self-test needs two runs of BEFORE at least, got %d", len(in.Before))
	}
	j, err := newJudge(in, opts)
	if err != nil {
		return nil, err
	}
	if err := j.loadAfter(); err != nil {
		return nil, err
	}
	for _, r := range slices.Concat(in.Before, in.After) {
		if problem := problemOf(r); problem != "" {
			return nil, errors.New(problem)
		}
	}
	j.learn()
	m := &mutants{before: j.before[0], after: j.after[0], suite: j.differ.Suite(&j.noise), idSet: map[string]int{}}
	m.plan = align.Align(m.before.items, m.after.items)
	for _, p := range m.plan.Pairs {
		m.suite.Bind(pairOf(m.before, m.after, p))
	}
	m.collectIDs()
	return m.run(), nil
}

// collectIDs notes what the answers to writes call "id".
func (m *mutants) collectIDs() {
	for i := range m.after.rec.Exchanges {
		e := &m.after.rec.Exchanges[i]
		if e.Method != http.MethodPost || e.Status >= 300 {
			continue
		}
		var body map[string]any
		dec := json.NewDecoder(bytes.NewReader(e.Response.Body))
		dec.UseNumber()
		if dec.Decode(&body) != nil {
			continue
		}
		if id, ok := body["id"]; ok {
			key := strings.Split(m.after.items[i].Route, "{")[0] + "\x00" + fmt.Sprint(id)
			if _, known := m.idSet[key]; !known {
				m.idSet[key] = len(m.ids)
				m.ids = append(m.ids, key)
			}
		}
	}
}

// anotherRow returns the identifier of another thing that the same route made.
func (m *mutants) anotherRow(v any) (any, bool) {
	text := fmt.Sprint(v)
	for at, key := range m.ids {
		route, id, _ := strings.Cut(key, "\x00")
		if id != text {
			continue
		}
		for step := 1; step < len(m.ids); step++ {
			otherRoute, other, _ := strings.Cut(m.ids[(at+step)%len(m.ids)], "\x00")
			if otherRoute == route && other != id {
				if _, number := v.(json.Number); number {
					return json.Number(other), true
				}
				return other, true
			}
		}
	}
	return nil, false
}

func retyped(v any, _ *mutants) (any, bool) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), true
	case string:
		return []any{v}, true
	case bool:
		return fmt.Sprint(v), true
	}
	return nil, false
}

func offByOne(v any, _ *mutants) (any, bool) {
	switch v := v.(type) {
	case json.Number:
		var n int64
		if _, err := fmt.Sscan(v.String(), &n); err == nil && fmt.Sprint(n) == v.String() {
			return json.Number(fmt.Sprint(n + 1)), true
		}
	case bool:
		return !v, true
	}
	return nil, false
}

func otherText(v any, _ *mutants) (any, bool) {
	s, ok := v.(string)
	return s + " x", ok && s != ""
}

func reformatted(v any, _ *mutants) (any, bool) {
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			return json.Number(v.String() + ".0"), true
		}
	case string: // a time loses its "T"
		if len(v) > 19 && v[4] == '-' && v[10] == 'T' && strings.HasSuffix(v, "Z") {
			return strings.Replace(v, "T", " ", 1), true
		}
	}
	return nil, false
}

// A miss is one change and whether it was found.
type miss struct {
	route, class, kind string
	found              bool
}

func (m *mutants) run() *SelfTest {
	stride := max(1, len(m.plan.Pairs)/maxMutated)
	tries := make([][]miss, len(m.plan.Pairs))
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			for i := w * stride; i < len(tries); i += workers * stride {
				if !m.plan.Pairs[i].Raced {
					tries[i] = m.exchange(m.plan.Pairs[i], i)
				}
			}
		})
	}
	wg.Wait()
	return summary(slices.Concat(tries...))
}

// exchange tries every kind of change at some values of one answer.
func (m *mutants) exchange(p align.Pair, seed int) (tries []miss) {
	pair := pairOf(m.before, m.after, p)
	clean := len(m.suite.Compare(pair).Findings)
	original := pair.After
	if original.Status != 0 {
		pair.After.Status = map[bool]int{true: 200, false: 500}[original.Status >= 400]
		tries = append(tries, miss{pair.Before.Route, "", "another status", len(m.suite.Compare(pair).Findings) > clean})
		pair.After = original
	}
	places := leavesOf(original.Body)
	stride := max(1, len(places)/maxPerAnswer)
	for at := seed % stride; at < len(places); at += stride {
		for _, kind := range mutations {
			body, class, ok := mutate(original.Body, places[at], func(v any) (any, bool) { return kind.mutate(v, m) })
			if !ok {
				continue
			}
			pair.After.Body = body
			tries = append(tries, miss{pair.Before.Route, class, kind.kind, len(m.suite.Compare(pair).Findings) > clean})
		}
		pair.After = original
	}
	return tries
}

func summary(all []miss) *SelfTest {
	s := &SelfTest{Schema: 1, Total: Detection{Kind: "all"}, Blind: []BlindPlace{}}
	kinds := map[string]*Detection{}
	blind := map[[2]string]*BlindPlace{}
	for _, t := range all {
		if kinds[t.kind] == nil {
			kinds[t.kind] = &Detection{Kind: t.kind}
		}
		kinds[t.kind].Tried++
		s.Total.Tried++
		if t.found {
			kinds[t.kind].Found++
			s.Total.Found++
			continue
		}
		at := [2]string{t.route, t.class}
		if blind[at] == nil {
			blind[at] = &BlindPlace{Route: t.route, Class: t.class}
		}
		b := blind[at]
		b.Missed++
		if !slices.Contains(b.Kinds, t.kind) {
			b.Kinds = append(b.Kinds, t.kind)
			slices.Sort(b.Kinds)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		s.Kinds = append(s.Kinds, *kinds[kind])
	}
	for _, b := range blind {
		s.Blind = append(s.Blind, *b)
	}
	slices.SortFunc(s.Blind, func(a, b BlindPlace) int {
		if a.Missed != b.Missed {
			return b.Missed - a.Missed
		}
		return strings.Compare(a.Route+a.Class, b.Route+b.Class)
	})
	return s
}
