package discover

import "time"

// A Report is the answer to GET /discover.
type Report struct {
	Schema     int       `json:"schema"`
	Since      time.Time `json:"since"`       // when counting began
	QuietAfter string    `json:"quiet_after"` // how long something is silent that counts as dead
	Findings             // of the endpoints only those that no route claims
	Next       []string  `json:"next_steps"`
}
