package sqlite

import "strings"

// keepsNegativeZero reports whether a column of a declared type can hold -0.0. A column
// with an affinity to numbers stores it as the integer 0; one without, and a text, does
// not touch it.
func keepsNegativeZero(declared string) bool {
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
	case contains("INT"), contains("CHAR", "CLOB", "TEXT"):
		return false
	case d == "", d == "ANY", contains("BLOB"):
		return true
	}
	return false // real or numeric
}
