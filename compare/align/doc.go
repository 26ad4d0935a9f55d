// Package align says which exchange of one run answers to which of another: the same
// test, method and route, in the order in which they were sent. It looks at nothing else of
// an exchange than an [Item] holds, reads no clock, and gives the same pairs for the same
// items.
//
// What a test polls is folded where one run asked more often than the other: the last
// answers are paired. What a test sends at once has no order: such exchanges are paired by
// status, and marked. Calls that only one run made are listed and never paired with
// something else.
package align

import "time"

// An Item is what aligning needs of an exchange.
type Item struct {
	Test   string
	Method string
	Route  string // see [Routes]
	Path   string // with its query
	Print  string // of the request, without what differs from run to run; equal ones pair up first
	Status int
	Start  time.Duration
	End    time.Duration
}

// A Pair holds the index of an item before and of its counterpart after.
type Pair struct {
	Before, After int
	Raced         bool // sent at the same time as others of its kind
	Polls         int  // how many more times one run asked than the other; 0 where they agree
}

// A Plan is the result of aligning.
type Plan struct {
	Pairs   []Pair // in the order of BEFORE
	Missing []int  // of BEFORE, without a counterpart
	Extra   []int  // of AFTER
}
