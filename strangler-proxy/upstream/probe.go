package upstream

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/origin"
)

// Probe asks one instance for path and reports how it fared; "" only connects.
func Probe(ctx context.Context, target *exchange.Target, instance int, path string) error {
	u := *target.URLs[instance]
	if path == "" {
		o := origin.New(&u, origin.Options{})
		defer o.Close()
		conn, err := o.Dial(ctx)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	u.Path = path
	return get(ctx, &u)
}

// get wants an answer of 2xx, over a connection of its own.
func get(ctx context.Context, u *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	dialer := net.Dialer{Timeout: time.Second, Control: origin.RefuseLinkLocal}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, MaxResponseHeaderBytes: limitResponseHeader}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("GET %s answered %s", u, res.Status)
	}
	return nil
}
