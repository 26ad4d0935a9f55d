package sqlite

import "strings"

// An affinity is the kind of values that a column prefers, as SQLite makes it out of the
// declared type. A column that prefers something stores equal numbers as one kind, and
// -0.0 as 0; one that does not keeps 1 and 1.0 apart.
type affinity int

const (
	noAffinity affinity = iota
	textAffinity
	integerAffinity
	realAffinity
	numericAffinity
)

func affinityOf(declared string) affinity {
	d := strings.ToUpper(declared)
	contains := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(d, w) {
				return true
			}
		}
		return false
	}
	switch {
	case contains("INT"):
		return integerAffinity
	case contains("CHAR", "CLOB", "TEXT"):
		return textAffinity
	case d == "", d == "ANY", contains("BLOB"): // ANY has none in a STRICT table
		return noAffinity
	case contains("REAL", "FLOA", "DOUB"): //nolint:misspell // that is what SQLite looks for
		return realAffinity
	}
	return numericAffinity
}
