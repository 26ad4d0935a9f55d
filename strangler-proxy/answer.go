package strangler

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
)

// Errors of the client's side.
var (
	errStall    = errors.New("the request's body did not arrive in time")
	errTooLarge = errors.New("the body is larger than is taken here")
)

// An ownAnswer is what the proxy says in its own name.
type ownAnswer struct {
	status     int
	text       string
	json       bool
	retryAfter bool
	closing    bool // the connection cannot be used any more
}

// newAnswer says something to the client of a request.
func newAnswer(x *exchange.Exchange, status int, message string, head *http1.Request) ownAnswer {
	a := ownAnswer{status: status, text: message + "\n"}
	for i := head.Index("accept", 0); i >= 0; i = head.Index("accept", i+1) {
		a.json = a.json || strings.Contains(view(head.Value(i)), "json")
	}
	if a.json {
		body, _ := json.Marshal(map[string]any{"error": map[string]any{"status": status, "message": message, "request_id": x.ID}})
		a.text = string(body) + "\n"
	}
	return a
}

// failureAnswer answers when nobody else could.
func failureAnswer(x *exchange.Exchange, failed *upstream.Error, head *http1.Request) ownAnswer {
	var bad *http1.Error
	switch {
	case errors.Is(failed, errStall), errors.Is(failed, upstream.ErrLate):
		x.Failure = "client_body"
		a := newAnswer(x, http.StatusRequestTimeout, errStall.Error(), head)
		a.closing = true
		return a
	case errors.Is(failed, errTooLarge):
		x.Failure = "body_too_large"
		a := newAnswer(x, http.StatusRequestEntityTooLarge, errTooLarge.Error(), head)
		a.closing = true
		return a
	case errors.Is(failed, upstream.ErrClient):
		status, message := http.StatusBadRequest, "the request's body is not HTTP"
		if errors.As(failed.Failure.Err, &bad) {
			status = bad.Status()
		}
		a := newAnswer(x, status, message, head)
		a.closing = true
		return a
	}
	status, message := describe(failed)
	a := newAnswer(x, status, message, head)
	a.retryAfter = status == http.StatusServiceUnavailable
	return a
}

func describe(e *upstream.Error) (status int, message string) {
	who := "service " + e.Side
	if e.Side == config.MonolithName {
		who = "the monolith"
	}
	what := "could not be reached"
	switch {
	case errors.Is(e.Failure.Err, upstream.ErrRest):
		return http.StatusServiceUnavailable, who + " gets a rest after its failures, and the monolith may not answer for it"
	case errors.Is(e.Failure.Err, upstream.ErrStopped):
		return http.StatusServiceUnavailable, "the proxy stops"
	case e.Failure.Timeout && e.Failure.Sent:
		status, what = http.StatusGatewayTimeout, "did not answer in time"
	case e.Failure.Timeout:
		status, what = http.StatusGatewayTimeout, "could not be reached in time"
	case e.Failure.Reason == "bad_response":
		status, what = http.StatusBadGateway, "answered something that is not HTTP"
	case e.Failure.Sent:
		status, what = http.StatusBadGateway, "broke off before it answered"
	default:
		status = http.StatusBadGateway
	}
	if errors.Is(e.Failure.Err, upstream.ErrBudget) {
		status, what = http.StatusServiceUnavailable, "already answers for as many requests as it may"
	}
	message = who + " " + what
	if e.Before != "" {
		message = "the service failed (" + e.Before + ") and " + message
	}
	return status, message
}

// append writes the answer as HTTP/1.
func (a *ownAnswer) append(dst []byte, minor int, marks []byte, toHead bool) []byte {
	dst = append(dst, "HTTP/1."...)
	dst = append(dst, '0'+byte(minor), ' ')
	dst = strconv.AppendInt(dst, int64(a.status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(a.status)...)
	dst = append(dst, "\r\nDate: "...)
	dst = time.Now().UTC().AppendFormat(dst, http.TimeFormat)
	dst = append(dst, "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"...)
	dst = http1.AppendField(dst, "Content-Type", a.contentType())
	if a.retryAfter {
		dst = append(dst, "Retry-After: 1\r\n"...)
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(a.text)), 10)
	dst = append(dst, "\r\n"...)
	dst = append(dst, marks...)
	dst = append(dst, "\r\n"...)
	if toHead {
		return dst
	}
	return append(dst, a.text...)
}

func (a *ownAnswer) contentType() string {
	if a.json {
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}
