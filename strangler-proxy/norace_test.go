//go:build !race

package strangler_test

// raceEnabled reports that the race detector is on, which allocates by itself.
const raceEnabled = false
