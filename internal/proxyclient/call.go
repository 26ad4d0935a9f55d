package proxyclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// limitAnswer is what an answer may have.
const limitAnswer = 1 << 20

// each asks all proxies at once and returns the errors of those that failed.
func (p *Proxies) each(ask func(one *proxy) error) error {
	errs := make([]error, len(p.all))
	var asking sync.WaitGroup
	for i, one := range p.all {
		asking.Go(func() { errs[i] = ask(one) })
	}
	asking.Wait()
	return errors.Join(errs...)
}

// A request is one to a proxy. All of them may be sent twice.
type request struct {
	doing        string // for errors
	method, path string
	body, answer any           // JSON; nil for none
	wait         time.Duration // beyond the usual time
}

// call sends a request. Where a connection that was kept turns out to be dead, or an
// answer does not come, it is sent once more.
func (p *Proxies) call(ctx context.Context, one *proxy, r request) error {
	body := []byte("{}")
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.opts.Timeout+r.wait, fmt.Errorf("it did not answer within %s", p.opts.Timeout+r.wait))
	defer cancel()
	status, text, err := p.send(ctx, one, r, body)
	if err != nil && ctx.Err() == nil {
		status, text, err = p.send(ctx, one, r, body)
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return &Error{Proxy: one.base, Doing: r.doing, Err: err, Remedy: "see whether it runs, and whether this is its admin address"}
	}
	return one.read(r, status, text)
}

func (p *Proxies) send(ctx context.Context, one *proxy, r request, body []byte) (status int, text []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, r.method, one.base+r.path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if one.token != "" {
		req.Header.Set("Authorization", "Bearer "+one.token)
	}
	res, err := p.client.Do(req)
	if err != nil {
		var inner interface{ Unwrap() error }
		if errors.As(err, &inner) { // without the method and the url, which the error names anyway
			err = inner.Unwrap()
		}
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err = io.ReadAll(io.LimitReader(res.Body, limitAnswer))
	return res.StatusCode, text, err
}

// read understands an answer.
func (one *proxy) read(r request, status int, text []byte) error {
	if status == http.StatusOK {
		if r.answer == nil {
			return nil
		}
		if err := json.Unmarshal(text, r.answer); err != nil {
			return &Error{Proxy: one.base, Doing: r.doing, Status: status, Err: fmt.Errorf("its answer is not understood: %w", err), Remedy: "is this the admin address of a proxy?"}
		}
		return nil
	}
	var problem struct {
		Error struct{ Code, Message, Remedy string }
	}
	if json.Unmarshal(text, &problem) != nil || problem.Error.Message == "" {
		problem.Error.Message = fmt.Sprintf("it answered %d", status)
		problem.Error.Remedy = "is this the admin address of a proxy of this version?"
	}
	return &Error{Proxy: one.base, Doing: r.doing, Status: status, Code: problem.Error.Code, Err: errors.New(problem.Error.Message), Remedy: problem.Error.Remedy}
}
