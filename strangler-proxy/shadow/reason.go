package shadow

// A Reason says why a copy that was due was not sent.
type Reason uint8

// The reasons.
const (
	Unsampled    Reason = iota // left out by percent
	UnsafeMethod               // it would change something
	Upgrade                    // it switches to another protocol
	Breaker                    // the service gets a rest
	Rate                       // max_rps or live_rps was reached
	QueueFull                  // too many wait, or hold too many bytes
	BodyTooLarge               // a body has more than max_body
	ClientGone                 // the client left before its answer was complete
	NoAnswer                   // the side that was to answer did not
	Stopping                   // the proxy ends
	reasons
)

var reasonWords = [reasons]string{
	"percent", "unsafe_method", "upgrade", "breaker", "rate", "queue_full", "body_too_large", "client_gone", "no_answer", "stopping",
}

// String returns the word for status, log and metric.
func (r Reason) String() string { return reasonWords[r] }
