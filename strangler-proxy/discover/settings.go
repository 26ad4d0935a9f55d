package discover

import "time"

// Settings say what the proxy remembers, and when something counts as dead.
type Settings struct {
	QuietAfter time.Duration // without a request for so long a route is dead and an endpoint silent
	StateOff   bool          // nothing is remembered over a restart
	State      string        // the file; empty means the one beside the configuration
}

// DefaultSettings are those of a file that says nothing.
func DefaultSettings() Settings { return Settings{QuietAfter: 30 * 24 * time.Hour} }

// StatePath is the file that belongs to the configuration file at path; empty when
// nothing shall be kept.
func (s Settings) StatePath(path string) string {
	switch {
	case s.StateOff || path == "":
		return ""
	case s.State != "":
		return s.State
	}
	return path + ".state.json"
}
