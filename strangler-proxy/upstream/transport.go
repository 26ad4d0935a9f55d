// Package upstream asks the service, or in its place the monolith, for the answer to
// a request. It promises that a request which may change something reaches at most
// one of them and at most once, and that no fallback begins after a byte of a
// response has gone to the client.
package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
)

// Options tune a Forwarder. The zero value is fit for production.
type Options struct {
	ConnectTimeout time.Duration // 0 means 1 s: a dead service must not cost each request a long wait
	IdleConns      int           // kept open for each instance; 0 means 256
	IdleTimeout    time.Duration // 0 means 4 s: shorter than what common servers keep, so that the end of an idle connection rarely meets a request
	InFlight       func() int64  // requests that the proxy serves now, for a budget in percent; nil means 0
}

// A Forwarder is an http.RoundTripper that serves the plan of the Exchange in a
// request's context. Goroutines may share it.
type Forwarder struct {
	transport *http.Transport
	inFlight  func() int64
	fallbacks atomic.Int64 // in flight
}

// New returns a Forwarder. Close releases its idle connections.
func New(opts Options) *Forwarder {
	connect, idle, conns := opts.ConnectTimeout, opts.IdleTimeout, opts.IdleConns
	if connect == 0 {
		connect = time.Second
	}
	if idle == 0 {
		idle = 4 * time.Second
	}
	if conns == 0 {
		conns = 256
	}
	if opts.InFlight == nil {
		opts.InFlight = func() int64 { return 0 }
	}
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second, Control: refuseLinkLocal}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &Forwarder{inFlight: opts.InFlight, transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &watchedConn{Conn: conn}, nil
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    3 * time.Second,
		Protocols:              protocols,
		MaxIdleConns:           16 * conns,
		MaxIdleConnsPerHost:    conns,
		IdleConnTimeout:        idle,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		ReadBufferSize:         8 << 10,
		WriteBufferSize:        8 << 10,
		DisableCompression:     true, // the client's Accept-Encoding is the only one
	}}
}

// Close closes idle connections.
func (f *Forwarder) Close() { f.transport.CloseIdleConnections() }

var errLinkLocal = errors.New("link-local addresses are never connected to")

// refuseLinkLocal also catches names and unusual spellings that resolve to 169.254.0.0/16.
func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Unmap().IsLinkLocalUnicast() {
		return fmt.Errorf("%s: %w", address, errLinkLocal)
	}
	return nil
}

// Probe asks one instance for path and reports how it fared; "" only connects.
func Probe(ctx context.Context, target *exchange.Target, instance int, path string) error {
	u := *target.URLs[instance]
	if path == "" {
		return connect(ctx, &u)
	}
	u.Path = path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	f := New(Options{})
	defer f.Close()
	res, err := f.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("GET %s answered %s", &u, res.Status)
	}
	return nil
}

func connect(ctx context.Context, u *url.URL) error {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	dialer := net.Dialer{Timeout: time.Second, Control: refuseLinkLocal}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	return conn.Close()
}
