//go:build race

package hostile_test

// raceEnabled reports that the race detector is on, which allocates by itself.
const raceEnabled = true
