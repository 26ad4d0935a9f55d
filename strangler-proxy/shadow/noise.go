package shadow

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// Bounds of what is known of a route's noise.
const (
	limitPlaces  = 1000
	leastSamples = 30 // of both kinds, before two rates are compared
	agreements   = 5  // of the monolith with itself, until a place is held to be no noise
	oldAge       = 20_000
)

// A spot is a place in the answers, with every index and generated name as "*".
type spot struct {
	part  differ.Part
	class string
}

// knowledge is what was learnt of a route's noise: the places where the monolith differs
// from itself, how often it does, and how often the two sides differ there.
type knowledge struct {
	noise differ.Noise

	mu        sync.Mutex
	compared  int
	baselines int
	places    map[spot]*place
}

type place struct {
	between int // comparisons in which the sides differed here
	within  int // baselines in which the monolith differed from itself
	agreed  int // times that the monolith was asked because of a mismatch here, and agreed with itself
}

func (k *knowledge) at(s spot) *place {
	p := k.places[s]
	if p == nil {
		if len(k.places) >= limitPlaces {
			return &place{}
		}
		if k.places == nil {
			k.places = map[spot]*place{}
		}
		p = &place{}
		k.places[s] = p
	}
	return p
}

// spots lists the places of a result, each once.
func spots(r differ.Result) []spot {
	var list []spot
	for _, f := range r.Findings {
		list = append(list, spot{f.Part, f.Class})
	}
	for _, x := range r.Relaxed {
		list = append(list, spot{x.Part, x.Class})
	}
	slices.SortFunc(list, func(a, b spot) int { return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.class, b.class)) })
	return slices.Compact(list)
}

// between notes where the sides differed in one comparison.
func (k *knowledge) between(r differ.Result) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.compared++; k.compared >= oldAge { // the past fades
		k.compared /= 2
		for _, p := range k.places {
			p.between /= 2
		}
	}
	for _, s := range spots(r) {
		k.at(s).between++
	}
}

// within notes where two answers of the monolith differed.
func (k *knowledge) within(r differ.Result) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.baselines++; k.baselines >= oldAge {
		k.baselines /= 2
		for _, p := range k.places {
			p.within /= 2
		}
	}
	for _, s := range spots(r) {
		k.at(s).within++
	}
}

// doubtful reports whether some finding may still be noise that was not seen yet.
func (k *knowledge) doubtful(r differ.Result) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range r.Findings {
		if p := k.places[spot{f.Part, f.Class}]; p == nil || p.agreed < agreements {
			return true
		}
	}
	return false
}

// agreed notes that the monolith gave the same answer again where the sides differ.
func (k *knowledge) agreed(r differ.Result, apart differ.Result) {
	k.mu.Lock()
	defer k.mu.Unlock()
	noisy := spots(apart)
	for _, f := range r.Findings {
		if s := (spot{f.Part, f.Class}); !slices.Contains(noisy, s) {
			k.at(s).agreed++
		}
	}
}

// excess turns relaxed places into findings where the sides differ more often than noise
// explains: by more than margin percent beyond what chance allows.
func (k *knowledge) excess(r *differ.Result, margin float64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.baselines < leastSamples || k.compared < leastSamples {
		return
	}
	for _, x := range r.Relaxed {
		p := k.places[spot{x.Part, x.Class}]
		if p == nil {
			continue
		}
		own, both := share(p.within, k.baselines), share(p.between, k.compared)
		if both <= own+margin/100+2*math.Hypot(spread(own, k.baselines), spread(both, k.compared)) {
			continue
		}
		r.Findings = append(r.Findings, differ.Finding{
			Kind: KindNoise, Severity: differ.Breaking, Part: x.Part, Pointer: x.Pointer, Class: x.Class, Samples: k.baselines, Varied: p.within,
			Explanation: fmt.Sprintf("the sides differ here in %.1f %% of %d comparisons, the monolith from itself in %.1f %% of %d", 100*both, k.compared, 100*own, k.baselines),
		})
	}
}

func share(n, of int) float64 { return float64(n) / float64(max(1, of)) }

// spread is the standard error of a share.
func spread(share float64, n int) float64 { return math.Sqrt(share * (1 - share) / float64(n)) }

// A NoisyPlace is one where the monolith differs from itself.
type NoisyPlace struct {
	Part     differ.Part `json:"part"`
	Place    string      `json:"place"`    // a JSON pointer or the name of a header, indexes and generated names as *
	Monolith float64     `json:"monolith"` // share of the baselines in which it differed from itself
	Sides    float64     `json:"sides"`    // share of the comparisons in which the sides differed
}

// noisy lists the places that vary, the worst first, at most 100.
func (k *knowledge) noisy() []NoisyPlace {
	seen := map[spot]bool{}
	for _, c := range k.noise.Classes() {
		seen[spot{c.Part, c.Class}] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	list := []NoisyPlace{}
	for s := range seen {
		n := NoisyPlace{Part: s.part, Place: s.class}
		if p := k.places[s]; p != nil {
			n.Monolith, n.Sides = share(p.within, k.baselines), share(p.between, k.compared)
		}
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b NoisyPlace) int {
		return cmp.Or(cmp.Compare(b.Monolith, a.Monolith), cmp.Compare(a.Part, b.Part), cmp.Compare(a.Place, b.Place))
	})
	return list[:min(len(list), 100)]
}
