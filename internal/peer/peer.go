// Package peer asks another program of the same system by HTTP and JSON. Who asks decides
// what an answer means to it: the client only carries the token and the request's id, and
// bounds how much it reads.
package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/web"
)

// Address reads the address of a program, http://host:port. what names it in the error.
func Address(what, text string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("address %q of the %s: want http://host:port", text, what)
	}
	return base, nil
}

// Options tune a Client.
type Options struct {
	Connections int           // kept open
	MaxAnswer   int           // bytes of one answer
	Timeout     time.Duration // of one request; 0: the context's alone
}

// A Client asks one program. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	most  int
	http  *http.Client
}

// New returns a client for the program at base, which asks for token.
func New(base *url.URL, token string, o Options) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: o.Connections, IdleConnTimeout: time.Minute}
	return &Client{base: base, token: token, most: o.MaxAnswer, http: &http.Client{Transport: transport, Timeout: o.Timeout}}
}

// An Answer is what came back, whatever its status.
type Answer struct {
	Request string // method and address, for messages
	Status  int
	Reason  string // the status in words
	Header  http.Header
	Body    []byte
}

// IsJSON reports whether the answer says that it is JSON, as the programs' own errors do
// and a proxy's mostly do not.
func (a *Answer) IsJSON() bool {
	return strings.HasPrefix(a.Header.Get("Content-Type"), "application/json")
}

// Decode decodes the body into v; nil takes whatever there is.
func (a *Answer) Decode(v any) error {
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		return fmt.Errorf("%s: %w", a.Request, err)
	}
	return nil
}

// Do sends one request, with body as JSON unless it is nil, and reads the answer. An error
// means that no whole answer came; it names the request.
func (c *Client) Do(ctx context.Context, method, path string, q url.Values, body any) (*Answer, error) {
	target := c.base.JoinPath(path)
	target.RawQuery = q.Encode()
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		content = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), content)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if id := web.RequestID(ctx); id != "" {
		req.Header.Set(web.RequestIDHeader, id)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err // names method, address and cause
	}
	defer res.Body.Close()
	a := &Answer{Request: method + " " + target.String(), Status: res.StatusCode, Reason: res.Status, Header: res.Header}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, int64(c.most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", a.Request, err)
	case len(a.Body) > c.most && a.Status < http.StatusMultipleChoices:
		return nil, fmt.Errorf("%s: the answer is larger than %d bytes", a.Request, c.most)
	}
	return a, nil
}
