package differ

import "fmt"

// Kind says what sort of difference a finding is.
type Kind string

// The kinds of findings.
const (
	Status       Kind = "status"        // the status code changed
	Missing      Kind = "missing"       // BEFORE has it, AFTER has not
	Added        Kind = "added"         // AFTER has it, BEFORE has not
	Type         Kind = "type"          // another JSON type, null included
	Value        Kind = "value"         // another value of the same type
	Identity     Kind = "identity"      // an identifier of something else than BEFORE's
	Shape        Kind = "shape"         // a relaxed value that left its kind
	Format       Kind = "format"        // the same value, spelled differently
	Order        Kind = "order"         // the same elements in another order
	Duplicate    Kind = "duplicate-key" // a name occurs more often in an object than on the other side
	Malformed    Kind = "malformed"     // not what its content type says, on one side only
	Text         Kind = "text"          // text bodies differ
	Binary       Kind = "binary"        // opaque bodies differ
	CookieChange Kind = "cookie"        // attributes of a cookie changed
)

// Severity says how much a finding matters to a client; a greater one matters more.
type Severity uint8

// The severities.
const (
	Info      Severity = iota // worth knowing
	Spelling                  // FORMAT: the same meaning, written differently
	Reordered                 // ORDER: the same things in another order
	Additive                  // something new that a tolerant client ignores
	Breaking                  // a client can notice and fail
)

var severities = [...]string{"info", "format", "order", "additive", "breaking"}

// String returns the name of s as reports write it.
func (s Severity) String() string {
	if int(s) < len(severities) {
		return severities[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText returns the name of s.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name that String returns.
func (s *Severity) UnmarshalText(text []byte) error {
	for i, name := range severities {
		if name == string(text) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("severity %q: use one of %q", text, severities)
}

// Part says where in an exchange a finding lies.
type Part string

// The parts of an exchange.
const (
	InRequest Part = "request"
	InStatus  Part = "status"
	InHeader  Part = "header"
	InBody    Part = "body"
)

// A Finding is one difference.
type Finding struct {
	Kind     Kind     `json:"kind"`
	Severity Severity `json:"severity"`
	Part     Part     `json:"part"`
	// Pointer is a JSON pointer in JSON bodies (indexes of BEFORE, or of AFTER where only
	// AFTER has the element), an element path in HTML, a name in headers.
	Pointer string `json:"pointer"`
	// Class is Pointer with every index and generated name as "*": findings group by it.
	Class       string `json:"class"`
	Before      string `json:"before,omitempty"` // shortened and redacted; empty if absent
	After       string `json:"after,omitempty"`
	Explanation string `json:"explanation"`
	Diff        string `json:"diff,omitempty"` // unified diff of text bodies, shortened
	// Samples counts the BEFORE/BEFORE pairs that had this class; Varied, in how many of
	// them it differed by itself.
	Samples int `json:"samples"`
	Varied  int `json:"varied"`
	// Chance marks an identifier of a [Pair] that was Raced: what it stands for says nothing.
	Chance bool `json:"chance,omitempty"`
}

// String returns the finding on one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s %s %s %s: %s -> %s (%s)", f.Severity, f.Kind, f.Part, f.Pointer, orAbsent(f.Before), orAbsent(f.After), f.Explanation)
}

func orAbsent(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}

// A Relaxed place differed and was accepted; Why names the rule or the evidence.
type Relaxed struct {
	Part    Part   `json:"part"`
	Pointer string `json:"pointer"`
	Class   string `json:"class"`
	Why     string `json:"why"`
}

// A Result is what comparing one pair of exchanges gave.
type Result struct {
	Findings []Finding `json:"findings,omitempty"`
	Relaxed  []Relaxed `json:"relaxed,omitempty"`
	Leaves   int       `json:"leaves"`            // values compared
	Dropped  int       `json:"dropped,omitempty"` // findings and relaxed places beyond the limit
}

// Worst returns the greatest severity among the findings, and false if there are none.
func (r Result) Worst() (Severity, bool) {
	worst := Info
	for _, f := range r.Findings {
		worst = max(worst, f.Severity)
	}
	return worst, len(r.Findings) > 0
}
