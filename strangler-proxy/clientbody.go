package strangler

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A patientBody gives each read of a request's body its time: a client may be slow,
// but not silent. It also sees to it that the transport, which goes on reading after
// an early answer, has stopped before net/http takes the connection back.
type patientBody struct {
	io.ReadCloser
	request *http.Request
	control *http.ResponseController
	stall   time.Duration

	deadline atomic.Int64 // of the read that waits, in Unix nanoseconds; 0 without one
	last     atomic.Int64 // when the last read ends, in Unix nanoseconds; no other may begin
	atEnd    atomic.Bool  // the whole body was read
	reading  sync.Mutex   // held during a read; guards what follows
	begun    bool         // something was asked for
	failed   bool         // nothing more can be read
}

func newPatientBody(r *http.Request, control *http.ResponseController, stall time.Duration) *patientBody {
	dropForwarding(r.Trailer)
	return &patientBody{ReadCloser: r.Body, request: r, control: control, stall: stall}
}

// ended reports whether the body was read to its end, so that another request may
// follow on the connection.
func (b *patientBody) ended() bool { return b.atEnd.Load() }

// overdue reports whether the client was silent for too long. net/http cancels the
// request's context before Read can return the error, so the error may come too late.
func (b *patientBody) overdue() bool {
	deadline := b.deadline.Load()
	return deadline != 0 && time.Now().UnixNano() >= deadline
}

// Read implements io.Reader.
func (b *patientBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.last.Load() != 0 {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.read(p, time.Now().Add(b.stall))
}

func (b *patientBody) read(p []byte, deadline time.Time) (int, error) {
	b.begun = true
	b.deadline.Store(deadline.UnixNano())
	_ = b.control.SetReadDeadline(deadline)
	if last := b.last.Load(); last != 0 {
		_ = b.control.SetReadDeadline(time.Unix(0, last)) // end came between
	}
	n, err := b.ReadCloser.Read(p)
	if err == nil || errors.Is(err, io.EOF) {
		b.deadline.Store(0)
	}
	switch {
	case errors.Is(err, io.EOF):
		dropForwarding(b.request.Trailer)
		// From here on net/http only waits for the client to leave, and sets its own
		// deadlines: this is the last one of ours, so it comes before atEnd.
		_ = b.control.SetReadDeadline(time.Time{})
		b.atEnd.Store(true)
	case err != nil:
		b.failed = true
	}
	return n, err
}

// How much is read, at most, of a body that nobody wants any more.
const (
	limitDrain     = 256 << 10
	limitDrainTime = 500 * time.Millisecond
)

// end keeps the transport from reading on. If the client has its answer, what it
// still sends is thrown away for a while: closing the connection at once would take
// the answer from a client that reads it after it has sent everything. The connection
// is not used again (see response.WriteHeader).
func (b *patientBody) end(answered bool) {
	if b.ended() {
		return
	}
	limit := time.Now()
	if answered {
		limit = limit.Add(limitDrainTime)
	}
	b.last.Store(limit.UnixNano())
	_ = b.control.SetReadDeadline(limit) // for a read that waits
	b.reading.Lock()
	defer b.reading.Unlock()
	if !answered || !b.begun {
		return
	}
	buffer := make([]byte, 16<<10)
	for read := 0; read < limitDrain && !b.failed && !b.ended() && time.Now().Before(limit); {
		n, _ := b.read(buffer, limit)
		read += n
	}
}
