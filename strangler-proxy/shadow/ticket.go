package shadow

import "sync"

// A Request is what the front knows of a request, at its beginning, of which a copy is due.
type Request struct {
	Route   string // its name
	ID      string // the request id
	Method  string
	To      string // the side that the copy goes to: Monolith or a service's name
	Length  int64  // of its body; 0 is none, -1 unknown
	Upgrade bool   // it asks for another protocol
	Resting bool   // the breaker of that service is not closed
}

// A Primary is how the request went at the side whose answer the client got.
type Primary struct {
	Head   []byte // of the request, as it was sent, with the empty line
	Body   []byte // of the request; nil if it was handed to KeepRequest
	Framed bool   // the request's body has the framing of chunks in it
	Answer Answer // Fields and Body are nil if they were handed to KeepFields and KeepResponse
}

// A Ticket stands for a copy that is due. It must be ended by End or Drop, once; what
// is called after that does nothing, so Drop may be deferred. All methods may be called
// on nil and by several goroutines.
type Ticket struct {
	shadow *Shadow
	route  *liveRoute
	lane   *lane
	id     string
	method string

	mu       sync.Mutex
	ended    bool
	request  kept
	response kept

	fields kept // of the response

	// From End on; the queue and then one worker own the ticket.
	head    kept
	framed  bool
	primary Answer
}

// Limit is how many bytes of each body are to be handed to KeepRequest and KeepResponse
// at most; with one more the copy is dropped.
func (t *Ticket) Limit() int {
	if t == nil {
		return 0
	}
	return t.route.Settings.MaxBody
}

// KeepRequest takes a copy of a piece of the request's body as it passes.
func (t *Ticket) KeepRequest(p []byte) {
	if t != nil {
		t.keep(&t.request, p)
	}
}

// KeepFields takes a copy of the lines of the answer's head.
func (t *Ticket) KeepFields(lines []byte) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended && !t.fields.add(lines, &t.shadow.buffers, &t.lane.budget) {
		t.drop(QueueFull)
	}
}

// KeepResponse takes a copy of a piece of the answer's body as it passes.
func (t *Ticket) KeepResponse(p []byte) {
	if t != nil {
		t.keep(&t.response, p)
	}
}

func (t *Ticket) keep(k *kept, p []byte) {
	if len(p) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
	case len(k.bytes)+len(p) > t.route.Settings.MaxBody:
		t.drop(BodyTooLarge)
	case !k.add(p, &t.shadow.buffers, &t.lane.budget):
		t.drop(QueueFull)
	}
}

// Drop gives the copy up.
func (t *Ticket) Drop(reason Reason) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.drop(reason)
	}
}

// drop is Drop under the lock.
func (t *Ticket) drop(reason Reason) {
	t.ended = true
	t.free()
	t.route.stats.dropped[reason].Add(1)
}

func (t *Ticket) free() {
	t.request.free(&t.shadow.buffers, &t.lane.budget)
	t.response.free(&t.shadow.buffers, &t.lane.budget)
	t.fields.free(&t.shadow.buffers, &t.lane.budget)
	t.head.free(&t.shadow.buffers, &t.lane.budget)
}

// End queues the copy. It takes copies of what p holds.
func (t *Ticket) End(p Primary) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	limit := t.route.Settings.MaxBody
	switch {
	case t.ended:
	case p.Answer.Truncated, len(t.request.bytes)+len(p.Body) > limit, len(t.response.bytes)+len(p.Answer.Body) > limit:
		t.drop(BodyTooLarge)
	case !t.keepAll(p):
		t.drop(QueueFull)
	default:
		t.framed, t.primary, t.ended = p.Framed, p.Answer, true
		if reason, ok := t.lane.push(t); !ok {
			t.drop(reason)
		}
	}
}

func (t *Ticket) keepAll(p Primary) bool {
	pool, b := &t.shadow.buffers, &t.lane.budget
	return t.request.add(p.Body, pool, b) && t.response.add(p.Answer.Body, pool, b) && t.fields.add(p.Answer.Fields, pool, b) && t.head.add(p.Head, pool, b)
}
