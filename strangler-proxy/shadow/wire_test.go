package shadow_test

import (
	"bufio"
	"context"
	"net"
	"net/http"

	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// A wire is an Asker with a connection for each copy.
type wire struct{ addresses map[string]string }

func (w *wire) Ask(ctx context.Context, c shadow.Copy) (shadow.Answer, error) {
	address, ok := w.addresses[c.Side]
	if !ok {
		return shadow.Answer{}, shadow.ErrNoSide
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return shadow.Answer{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	answer, err := exchange(conn, c)
	if ctx.Err() != nil {
		return answer, ctx.Err()
	}
	return answer, err
}

func exchange(conn net.Conn, c shadow.Copy) (shadow.Answer, error) {
	if _, err := conn.Write(append(append([]byte{}, c.Head...), c.Body...)); err != nil {
		return shadow.Answer{}, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: c.Method})
	if err != nil {
		return shadow.Answer{}, err
	}
	a := shadow.Answer{Status: res.StatusCode, Fields: lines(res.Header), Body: c.Buffer}
	chunk := make([]byte, 8<<10)
	for {
		n, err := res.Body.Read(chunk)
		room := c.Limit - len(a.Body)
		a.Body = append(a.Body, chunk[:min(n, room)]...)
		switch {
		case n > room:
			a.Truncated = true
			return a, nil
		case err != nil && err.Error() == "EOF":
			return a, nil
		case err != nil:
			return a, err
		}
	}
}
