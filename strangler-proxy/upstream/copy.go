package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
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
	if conn := o.Kept(); conn != nil {
		answer, err := copyOver(ctx, conn, &c)
		if stale := err != nil && answer.Status == 0 && ctx.Err() == nil && isReset(err); !stale || !Safe(c.Method) {
			return answer, err
		}
	}
	conn, err := o.Dial(ctx)
	if err != nil {
		return shadow.Answer{}, inTime(ctx, err)
	}
	return copyOver(ctx, conn, &c)
}

// inTime says that it took too long, where that is why.
func inTime(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// copyOver sends a copy over a connection and reads the answer. It keeps the connection
// if that was read to its end, or closes it.
func copyOver(ctx context.Context, conn *origin.Conn, c *shadow.Copy) (shadow.Answer, error) {
	over := context.AfterFunc(ctx, conn.Break)
	var r http1.Response
	r.Limits = http1.Limits{HeaderBytes: limitResponseHeader, Fields: 1000}
	answer := shadow.Answer{Body: c.Buffer[:0]}
	whole, err := copyExchange(conn, c, &r, &answer)
	if over() && err == nil && whole && r.KeepAlive {
		conn.Keep()
		return answer, nil
	}
	conn.Close()
	if err != nil {
		err = inTime(ctx, err)
	}
	return answer, err
}

// copyExchange reports whether the answer was read to its end.
func copyExchange(conn *origin.Conn, c *shadow.Copy, r *http1.Response, answer *shadow.Answer) (whole bool, _ error) {
	_, sent := conn.Write(c.Head)
	if sent == nil && len(c.Body) > 0 {
		_, sent = conn.Write(c.Body)
	}
	if err := copyHead(conn, c, r); err != nil {
		if sent != nil { // else who broke off while we were sending has answered before
			err = sent
		}
		return false, err
	}
	answer.Status, answer.Header = r.Status, shadow.HeaderOf(&r.Fields)
	var body http1.Body
	r.BeginBody(&body, true)
	conn.In.Consume(r.Len)
	err := copyBody(conn, &body, c.Limit, answer)
	return err == nil && !answer.Truncated && sent == nil, err
}

// copyHead reads the head of the final response.
func copyHead(conn *origin.Conn, c *shadow.Copy, r *http1.Response) error {
	r.Reset(c.Method == http.MethodHead)
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
			r.Reset(c.Method == http.MethodHead)
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
