// Package promote judges services by what their clients get, and moves routes by that
// judgement: a canary that does as well as the monolith gets the next share of the
// callers, one that does worse gives its share back, and a canary that nobody confirms
// goes back too. It promises to move nothing without evidence, nothing that a human has
// stopped, and nothing while the file is not the one in use. It knows no file and no
// clock but the process's: the caller hands in what the routes are and how to move them.
package promote

import (
	"strconv"
	"time"
)

// Settings say how a route moves by itself. They are immutable.
type Settings struct {
	Steps       []int         // shares of the canary in hundredths of a percent, ascending
	Every       time.Duration // the period that is looked at, and a step lasts at least
	For         time.Duration // how long all checks have to pass without a break
	Check       time.Duration // how often the checks are made
	MinRequests int           // below them nothing is concluded
	Threshold   int           // checks in a row that have to fail
	Require     Require
	ThenLive    bool // after the last step the route becomes live
}

// Require holds the limits that a service has to keep. A nil limit is not checked.
type Require struct {
	ErrorDelta *float64       // share of errors beyond the monolith's
	ErrorRate  *float64       // share of errors
	P95Ratio   *float64       // of the service's 95th percentile to the monolith's
	P95        *time.Duration // the service's 95th percentile
	Mismatch   *float64       // share of the compared copies that differ
	// MismatchIfCompared leaves the mismatches out where nothing is compared, instead
	// of waiting for copies.
	MismatchIfCompared bool
}

// Default returns the settings of a route that says nothing else.
func Default() Settings {
	delta, ratio, mismatch := 0.005, 1.3, 0.001
	return Settings{
		Steps: []int{1_00, 5_00, 25_00, 50_00, 100_00}, Every: 10 * time.Minute, For: 10 * time.Minute,
		MinRequests: 200, Threshold: 3,
		Require: Require{ErrorDelta: &delta, P95Ratio: &ratio, Mismatch: &mismatch, MismatchIfCompared: true},
	}
}

// DefaultWindow is the period that the figures of a route without Settings cover.
const DefaultWindow = 10 * time.Minute

// CheckPeriod is how often a route with steps of length every is checked if its
// settings do not say: twenty times a step, but neither in a rush nor rarely.
func CheckPeriod(every time.Duration) time.Duration {
	return min(max(every/20, 100*time.Millisecond), 30*time.Second)
}

// percentText is a share in percent with at most two decimals.
func percentText(share float64) string {
	return strconv.FormatFloat(float64(int64(share*10000+0.5))/100, 'f', -1, 64) + " %"
}
