package differ

import (
	"slices"
	"sync"
)

// Noise is what is known of the places where BEFORE differs from itself. It is filled by
// [Differ.Learn], from pairs of BEFORE answers to the same request, and gathers by route
// and class, so one pair with ten elements gives ten samples. The zero value knows
// nothing. Any number of goroutines may learn and compare with one Noise.
type Noise struct {
	mu      sync.RWMutex
	classes map[place]*variation
	full    bool
}

// maxClasses bounds the memory of a Noise whatever names the bodies have.
const maxClasses = 20_000

// maxShapes bounds what is remembered of one class.
const maxShapes = 8

type place struct {
	route string
	part  Part
	class string
}

// A variation is what BEFORE was seen to do in one class.
type variation struct {
	samples, varied int
	crossed         int     // the same identifier for different things
	shapes          []shape // the shapes seen, when the value varied
	renamed         bool    // each run has names of its own for the same things
	optional        bool    // absent on one side
	unordered       bool    // the same elements in another order
	elastic         bool    // a list that grows and shrinks
	emptied         bool    // … also to nothing
	masking         int     // text: how much must be masked to be equal
}

// A NoisyClass is one class in which BEFORE differed from itself.
type NoisyClass struct {
	Route   string   `json:"route"`
	Part    Part     `json:"part"`
	Class   string   `json:"class"`
	Samples int      `json:"samples"`
	Varied  int      `json:"varied"`
	Shapes  []string `json:"shapes,omitempty"` // "integer", "uuid version 4", …; also "absent", "any order", "any length"
}

// Classes lists the noisy classes, sorted.
func (n *Noise) Classes() []NoisyClass {
	n.mu.RLock()
	defer n.mu.RUnlock()
	var list []NoisyClass
	for at, v := range n.classes {
		if v.varied == 0 {
			continue
		}
		c := NoisyClass{Route: at.route, Part: at.part, Class: at.class, Samples: v.samples, Varied: v.varied}
		for _, s := range v.shapes {
			c.Shapes = append(c.Shapes, s.String())
		}
		slices.Sort(c.Shapes)
		for _, is := range [...]struct {
			so   bool
			name string
		}{{v.optional, "absent"}, {v.unordered, "any order"}, {v.elastic, "any length"}, {v.masking > 0, "masked text"}} {
			if is.so {
				c.Shapes = append(c.Shapes, is.name)
			}
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b NoisyClass) int {
		return compareStrings(a.Route, b.Route, string(a.Part), string(b.Part), a.Class, b.Class)
	})
	return list
}

// Full reports that there were more classes than a Noise remembers, so some noise will
// be reported as findings.
func (n *Noise) Full() bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.full
}

// at returns a copy of what is known of a place; n may be nil.
func (n *Noise) at(p place) (variation, bool) {
	if n == nil {
		return variation{}, false
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	v, ok := n.classes[p]
	if !ok {
		return variation{}, false
	}
	return *v, true
}

// sample counts one pair at a place and lets change note what varied.
func (n *Noise) sample(p place, varied bool, change func(*variation)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, ok := n.classes[p]
	if !ok {
		if len(n.classes) >= maxClasses {
			n.full = true
			return
		}
		if n.classes == nil {
			n.classes = map[place]*variation{}
		}
		v = &variation{}
		n.classes[p] = v
	}
	v.samples++
	if varied {
		v.varied++
		change(v)
	}
}

// renames notes that BEFORE's runs give the same things different names at a place.
func (n *Noise) renames(p place) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if v, ok := n.classes[p]; ok {
		v.renamed = true
	}
}

// crosses notes that BEFORE's runs give the same name to different things at a place.
func (n *Noise) crosses(p place) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if v, ok := n.classes[p]; ok {
		v.crossed++
	}
}

// see notes the shape of a value that varied. It leaves older copies of v alone.
func (v *variation) see(s shape) {
	if slices.Contains(v.shapes, s) {
		return
	}
	if len(v.shapes) >= maxShapes {
		s.detail = "" // with the details seen before, any will do
		if slices.Contains(v.shapes, s) || len(v.shapes) >= 2*maxShapes {
			return
		}
	}
	v.shapes = append(slices.Clip(v.shapes), s)
}

// admits reports whether a value fits what was seen here, and if not, whether at least
// its kind does.
func (v variation) admits(x value) (fits, kind bool) {
	own := shapeOf(x)
	details := 0
	for _, s := range v.shapes {
		if s.admits(x) {
			return true, true
		}
		if s.base == own.base {
			details++
		}
	}
	return details > 1, details > 0 // several details were seen: the detail itself varies
}

func compareStrings(pairs ...string) int {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] != pairs[i+1] {
			if pairs[i] < pairs[i+1] {
				return -1
			}
			return 1
		}
	}
	return 0
}
