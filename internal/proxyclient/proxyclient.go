// Package proxyclient speaks with the admin addresses of proxies for whoever moves the
// tables behind their routes: it holds and drains requests, says who owns the tables, and
// releases. Several proxies are asked at once, and an error names each one that failed
// and why. A hold is all or nothing: if one proxy cannot hold, none does. Everything may
// be repeated, also after an answer that got lost. The package decides nothing and keeps
// nothing on disk; a holder that dies leaves holds that end by themselves.
package proxyclient

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A Proxy is one to speak with.
type Proxy struct {
	URL   string // of its admin address, such as http://127.0.0.1:8081
	Token string // that the address asks for; may be empty
}

// An Order says for which split, and what is to be held of it.
type Order struct {
	Split  string
	Holder string // who holds, for people
	Claim  int64  // of several holders of one split, the one with the highest claim is heard

	Flip  []string // the routes that lead to the owner of the tables; they are held
	Wait  []string // the routes that are held only
	Reads bool     // requests that only read are held, too

	TTL      time.Duration // a hold outlives its holder for so long; 0 means 2 s
	Limit    time.Duration // a hold lasts at most so long; 0 means 10 s
	Requests int           // that each proxy may park; 0 means its default
	Bytes    int64         // of them; 0 means its default
}

// Options tune Proxies. The zero value is fit for production.
type Options struct {
	Timeout   time.Duration     // for an answer; 0 means 5 s
	Transport http.RoundTripper // nil means one of its own
}

// Proxies are the proxies in front of a split. There may be none: then everything
// succeeds at once. One goroutine uses a value; Lost and Err may be used by others.
// Close ends it.
type Proxies struct {
	all    []*proxy
	order  Order
	opts   Options
	client *http.Client

	beats *beats // while a hold is there
	mu    sync.Mutex
	lost  chan struct{}
	why   error
}

// proxy is one of Proxies.
type proxy struct {
	base, token string
}

// New returns Proxies that nobody has asked yet. A url that is none is an error.
func New(all []Proxy, o Order, opts Options) (*Proxies, error) {
	o.TTL, o.Limit = cmp.Or(o.TTL, 2*time.Second), cmp.Or(o.Limit, 10*time.Second)
	opts.Timeout = cmp.Or(opts.Timeout, 5*time.Second)
	if opts.Transport == nil {
		opts.Transport = &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second}
	}
	p := &Proxies{order: o, opts: opts, lost: make(chan struct{})}
	p.client = &http.Client{Transport: opts.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, one := range all {
		base, err := baseOf(one.URL)
		if err != nil {
			return nil, err
		}
		p.all = append(p.all, &proxy{base, one.Token})
	}
	return p, nil
}

// baseOf checks the address of a proxy.
func baseOf(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("%q is no address of a proxy: write http://host:port of its admin address", address)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("the address of a proxy is http://host:port and nothing more, not %s", u.Redacted())
	}
	return u.Scheme + "://" + u.Host, nil
}

// Close ends renewals; holds that are not released end by themselves.
func (p *Proxies) Close() {
	p.stopBeats()
	p.client.CloseIdleConnections()
}

// What a proxy may object, for errors.Is.
var (
	// ErrClaimed reports that somebody with a higher claim holds the split.
	ErrClaimed = errors.New("somebody else has taken the hold over")
	// ErrOldEpoch reports that the proxy was told of a later switch already.
	ErrOldEpoch = errors.New("the proxy knows of a later switch")
	// ErrNoHold reports that the hold has ended: its time was over, or the proxy was
	// started again.
	ErrNoHold = errors.New("the proxy does not hold any more")
	// ErrHeld reports that somebody else holds one of the routes.
	ErrHeld = errors.New("somebody else holds a route")
)

// An Error says what one proxy has not done.
type Error struct {
	Proxy  string // its address
	Doing  string
	Status int    // of its answer; 0 if there was none
	Code   string // of its answer; may be empty
	Err    error
	Remedy string // may be empty
}

func (e *Error) Error() string {
	text := fmt.Sprintf("proxy %s: %s: %v", e.Proxy, e.Doing, e.Err)
	if e.Remedy != "" {
		text += " (" + e.Remedy + ")"
	}
	return text
}

// Unwrap lets errors.Is and errors.As see the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is lets errors.Is see what the proxy objected.
func (e *Error) Is(target error) bool {
	switch target { //nolint:errorlint // Is compares sentinels
	case ErrClaimed:
		return e.Code == "claimed"
	case ErrOldEpoch:
		return e.Code == "old_epoch"
	case ErrNoHold:
		return e.Code == "no_hold"
	case ErrHeld:
		return e.Code == "held"
	}
	return false
}
