package upstream

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
	"github.com/stranglerfig/toolkit/strangler-proxy/wire"
)

// A Copier sends copies of requests, for which nobody waits. How they fare says nothing
// to breakers, budgets and balance: these are for requests of clients.
type Copier struct {
	Find func(side string) *exchange.Target // nil if there is no such side
}

// Ask implements shadow.Asker.
func (a *Copier) Ask(ctx context.Context, c shadow.Copy) (shadow.Answer, error) {
	target := a.Find(c.Side)
	if target == nil {
		return shadow.Answer{}, shadow.ErrNoSide
	}
	instance := 0
	if target.Pool != nil {
		turn := target.Pool.Turn()
		turn.Next()
		instance = turn.At()
	}
	o := target.Origins[instance]
	e := newErrand(c)
	defer e.end()
	if conn := o.Kept(); conn != nil {
		answer, err := e.over(ctx, conn)
		if stale := err != nil && answer.Status == 0 && !e.late && ctx.Err() == nil && isReset(err); !stale || !Safe(c.Method) {
			return answer, err
		}
	}
	until, cancel := context.WithTimeout(ctx, time.Duration(e.until-wire.Now()))
	defer cancel()
	conn, err := o.Dial(until)
	if err != nil {
		return shadow.Answer{}, cmp.Or(until.Err(), err)
	}
	return e.over(ctx, conn)
}

// An errand is one copy under way, with what it needs; the memory of that is used again.
type errand struct {
	copy     shadow.Copy
	until    wire.Instant
	late     bool // it took too long
	response http1.Response

	alarm wire.Alarm // for until
	mu    sync.Mutex // guards conn
	conn  *origin.Conn
}

var errands = sync.Pool{New: func() any {
	e := &errand{}
	e.alarm.Init(func() wire.Instant { e.stop(); return 0 })
	e.response.Limits = http1.Limits{HeaderBytes: limitResponseHeader, Fields: 1000}
	return e
}}

func newErrand(c shadow.Copy) *errand {
	e := errands.Get().(*errand)
	e.copy, e.until, e.late = c, wire.Now().Add(c.Timeout), false
	return e
}

func (e *errand) end() {
	e.copy = shadow.Copy{}
	e.response.Reset(false)
	errands.Put(e)
}

// lend says which connection the alarm is to break: none is nil.
func (e *errand) lend(conn *origin.Conn) {
	e.mu.Lock()
	e.conn = conn
	e.mu.Unlock()
}

// stop ends what waits.
func (e *errand) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.conn != nil {
		e.conn.Break()
	}
}

// over sends the copy over a connection and reads the answer. It keeps the connection if
// that was read to its end in time, or closes it.
func (e *errand) over(ctx context.Context, conn *origin.Conn) (shadow.Answer, error) {
	e.lend(conn)
	e.alarm.Set(e.until)
	stop := context.AfterFunc(ctx, conn.Break)
	answer := shadow.Answer{Body: e.copy.Buffer[:0]}
	whole, err := e.exchange(conn, &answer)
	e.lend(nil)
	if e.late = e.alarm.Clear(); e.late {
		e.alarm.Await() // it may be about to look which connection to break
	}
	if going := stop(); going && !e.late && err == nil && whole && e.response.KeepAlive {
		conn.Keep()
		return answer, nil
	}
	conn.Close()
	switch {
	case err == nil:
		return answer, nil
	case e.late:
		return answer, context.DeadlineExceeded
	}
	return answer, cmp.Or(ctx.Err(), err)
}

// exchange reports whether the answer was read to its end.
func (e *errand) exchange(conn *origin.Conn, answer *shadow.Answer) (whole bool, _ error) {
	sent := e.send(conn)
	if err := e.receive(conn); err != nil {
		return false, cmp.Or(sent, err) // who broke off while we were sending may have answered before
	}
	r := &e.response
	answer.Status, answer.Fields = r.Status, append(e.copy.Fields[:0], r.Lines()...)
	var body http1.Body
	r.BeginBody(&body, true)
	conn.In.Consume(r.Len)
	err := copyBody(conn, &body, e.copy.Limit, answer)
	return err == nil && !answer.Truncated && sent == nil, err
}

// send writes the copy, in one piece where it is short.
func (e *errand) send(conn *origin.Conn) error {
	head, body := e.copy.Head, e.copy.Body
	if len(body) > 0 && len(head)+len(body) <= wire.SmallBytes {
		together := wire.Small()
		defer wire.Return(together)
		head, body = append(append(together[:0], head...), body...), nil
	}
	if len(body) == 0 {
		_, err := conn.Ask(head)
		return err
	}
	if _, err := conn.Write(head); err != nil {
		return err
	}
	_, err := conn.Write(body)
	return err
}

// receive reads the head of the final response.
func (e *errand) receive(conn *origin.Conn) error {
	r, toHead := &e.response, e.copy.Method == http.MethodHead
	r.Reset(toHead)
	for interim := 0; ; {
		done, err := r.Parse(conn.In.Bytes())
		switch {
		case err != nil:
			return err
		case !done:
			if err := conn.Fill(); err != nil {
				return err
			}
		case r.Framing == http1.Tunnel, interim == limitInterim:
			return &http1.Error{Reason: http1.BadStatusLine, Response: true}
		case !r.Interim:
			return nil
		default:
			interim++
			conn.In.Consume(r.Len)
			r.Reset(toHead)
		}
	}
}

// copyBody reads the data of a body until its end or until the limit.
func copyBody(conn *origin.Conn, body *http1.Body, limit int, answer *shadow.Answer) error {
	for !body.Done() {
		data, n, err := body.Step(conn.In.Bytes())
		if room := limit - len(answer.Body); len(data) > room {
			answer.Body, answer.Truncated = append(answer.Body, data[:room]...), true
			return nil
		}
		answer.Body = append(answer.Body, data...)
		if err != nil {
			return err
		}
		conn.In.Consume(n)
		if n > 0 {
			continue
		}
		switch err := conn.Fill(); {
		case errors.Is(err, io.EOF):
			return body.End()
		case err != nil:
			return err
		}
	}
	return nil
}
