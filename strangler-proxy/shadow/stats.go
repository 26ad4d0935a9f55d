package shadow

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// A Verdict is what comparing the answers gave.
type Verdict uint8

// The verdicts.
const (
	Match    Verdict = iota
	Mismatch         // of some kind
	Failed           // the side of the copy gave no answer that can be compared
	Timeout          // it did not answer in time
)

// String returns the word for status, log and metric.
func (v Verdict) String() string { return [...]string{"match", "mismatch", "error", "timeout"}[v] }

// Kinds of mismatches besides those of package differ.
const (
	KindSize  differ.Kind = "size"  // the copy's answer has more than max_body, the other one has not
	KindNoise differ.Kind = "noise" // the sides differ more often than the monolith from itself
)

// Kinds lists the kinds that a mismatch may have.
func Kinds() []differ.Kind {
	return []differ.Kind{
		differ.Status, differ.Missing, differ.Added, differ.Type, differ.Value, differ.Identity, differ.Shape, differ.Order,
		differ.Duplicate, differ.Malformed, differ.Text, differ.Binary, differ.CookieChange, KindSize, KindNoise,
	}
}

// recentLength is how many verdicts Stats.Recent looks back on.
const recentLength = 1000

// stats is what is counted of a route. It outlives configurations that change nothing
// of what the numbers are about.
type stats struct {
	eligible, sent atomic.Uint64
	dropped        [reasons]atomic.Uint64
	matches        atomic.Uint64
	spelled        atomic.Uint64 // of the matches
	settled        atomic.Uint64 // of the matches
	failed         [failures]atomic.Uint64
	timeouts       atomic.Uint64
	baselines      atomic.Uint64

	waiting, asking atomic.Int32

	monolith, service latency

	learned knowledge

	mu         sync.Mutex
	mismatches map[differ.Kind]uint64
	recent     []bool // a ring of verdicts, true is a mismatch
	next       int
	kept       []MismatchRecord // the oldest first
	keptAt     time.Time
	number     uint64
}

func newStats() *stats { return &stats{mismatches: map[differ.Kind]uint64{}} }

// A Recent counts the last verdicts, at most 1000.
type Recent struct {
	Compared   int `json:"compared"`
	Mismatches int `json:"mismatches"`
}

// Stats are the numbers of one route since the proxy started, or since its match, its
// service or its comparison changed. Eligible is Sent and all of Dropped together once
// nothing is on its way; Sent then is Matches, Mismatched, Timeouts and all of Errors.
type Stats struct {
	Eligible   uint64            `json:"eligible"`
	Sent       uint64            `json:"sent"`
	Dropped    map[string]uint64 `json:"dropped,omitempty"`    // by Reason
	Compared   uint64            `json:"compared"`             // Matches and Mismatched
	Matches    uint64            `json:"matches"`              //
	Spelled    uint64            `json:"spelled,omitempty"`    // matches written differently, as 1 and 1.0
	Settled    uint64            `json:"settled,omitempty"`    // matches only with a later answer of the monolith: it had moved on
	Mismatched uint64            `json:"mismatched"`           //
	Mismatches map[string]uint64 `json:"mismatches,omitempty"` // by kind
	Errors     map[string]uint64 `json:"errors,omitempty"`
	Timeouts   uint64            `json:"timeouts"`
	Baselines  uint64            `json:"baselines,omitempty"` // copies for which the monolith was asked once more
	Recent     Recent            `json:"recent"`
	Monolith   Quantiles         `json:"monolith"` // of the requests that were sent to both
	Service    Quantiles         `json:"service"`
}

// Rate is the share of the comparisons that were mismatches, 0 without any.
func (s Stats) Rate() float64 {
	if s.Compared == 0 {
		return 0
	}
	return float64(s.Mismatched) / float64(s.Compared)
}

func (s *stats) read() Stats {
	out := Stats{
		Eligible: s.eligible.Load(), Sent: s.sent.Load(), Matches: s.matches.Load(), Spelled: s.spelled.Load(),
		Settled: s.settled.Load(), Timeouts: s.timeouts.Load(), Baselines: s.baselines.Load(),
		Dropped: map[string]uint64{}, Errors: map[string]uint64{}, Mismatches: map[string]uint64{},
		Monolith: s.monolith.quantiles(), Service: s.service.quantiles(),
	}
	for reason := range reasons {
		if n := s.dropped[reason].Load(); n > 0 {
			out.Dropped[reason.String()] = n
		}
	}
	for f := range failures {
		if n := s.failed[f].Load(); n > 0 {
			out.Errors[f.String()] = n
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for kind, n := range s.mismatches {
		out.Mismatches[string(kind)] = n
		out.Mismatched += n
	}
	out.Compared = out.Matches + out.Mismatched
	out.Recent.Compared = len(s.recent)
	for _, mismatch := range s.recent {
		if mismatch {
			out.Recent.Mismatches++
		}
	}
	return out
}

// judged notes a verdict of a comparison.
func (s *stats) judged(o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.verdict == Mismatch {
		s.mismatches[o.kind]++
	} else {
		s.matches.Add(1)
	}
	if len(s.recent) < recentLength {
		s.recent = append(s.recent, o.verdict == Mismatch)
		return
	}
	s.recent[s.next] = o.verdict == Mismatch
	s.next = (s.next + 1) % recentLength
}
