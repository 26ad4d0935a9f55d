// Package config reads strangler.yaml: strictly, reporting everything that is wrong
// at once, and into an immutable value that is ready to route by. It reads no
// environment and no file by itself; the caller hands both in.
package config

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path/filepath"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
	"github.com/stranglerfig/toolkit/strangler-proxy/forwarded"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// Defaults of what a file need not say.
const (
	DefaultListen          = "127.0.0.1:8080"
	DefaultAdmin           = "127.0.0.1:8081"
	DefaultServiceTimeout  = 10 * time.Second
	DefaultMonolithTimeout = 60 * time.Second
)

// Names that no service may have, because the proxy reports by them who answered.
const (
	MonolithName = "monolith"
	ProxyName    = "proxy"
)

// A Config is a checked configuration. It is immutable.
type Config struct {
	Name     string // the file's name for messages; empty without a file
	Hash     string // of the file's bytes, hexadecimal
	Listen   string
	Admin    string
	Tokens   string          // the file with the tokens that the admin address asks for; empty: none
	Front    listen.Settings // how clients connect
	Trusted  forwarded.Trust // the proxies in front of this one
	Marks    Marks           // who is told who answered
	Panic    string          // why every route is on the monolith for now; empty: none is because of it
	Monolith Upstream
	Services []Upstream // in file order
	Fallback Fallback   // of routes that say nothing else
	Retry    Retry      // of routes that say nothing else
	Waits    Waits      // of routes and services that say nothing else
	Routes   []Route    // in file order
	Groups   []Group    // in file order
	Sticky   route.Sticky
	Force    Force
	Guard    Guard
	// RequireReason says that a route goes forward only with a reason.
	RequireReason bool
	Shadow        shadow.Settings // of every side, and of routes that say nothing else
	Table         *route.Table
	Tests         []Test // in file order

	Discovery discover.Settings
	AccessLog AccessLog
	Tracing   Tracing

	shadowWrites *yamldoc.Node // defaults.shadow.writes, while the file is checked
}

// An Upstream is the monolith or a service: one or more instances that are alike.
type Upstream struct {
	Name      string
	URLs      []*url.URL
	Health    string            // path that answers 200 when an instance is well; may be empty
	Waits                       // of requests that no route says more about
	Checks    HealthChecks      // of several instances that have a health path
	SlowStart time.Duration     // of one of several instances that comes back
	Breaker   *breaker.Settings // nil: none
	Sandbox   bool              // a service that copies of requests may change
}

// A Route is a route of the table with what only the file says about it.
type Route struct {
	route.Route
	Waits
	Fallback Fallback
	Retry    Retry
	Promote  *promote.Settings // nil: somebody else moves it
	Expires  time.Duration     // how long a canary lasts that nobody confirms; 0 means for ever
	Split    string            // of its group: the split that moves its data; may be empty
	Shadow   shadow.Settings
	Compare  shadow.Rules
	Line     int
}

// Service returns the service named name, or nil.
func (c *Config) Service(name string) *Upstream {
	for i := range c.Services {
		if c.Services[i].Name == name {
			return &c.Services[i]
		}
	}
	return nil
}

// Route returns the route named name, or nil.
func (c *Config) Route(name string) *Route {
	for i := range c.Routes {
		if c.Routes[i].Name == name {
			return &c.Routes[i]
		}
	}
	return nil
}

// RouteNames lists the routes' names in file order.
func (c *Config) RouteNames() []string {
	names := make([]string, len(c.Routes))
	for i, r := range c.Routes {
		names[i] = r.Name
	}
	return names
}

// HashOf is the hash by which a file's content is known in status, log and audit.
func HashOf(source []byte) string {
	sum := sha256.Sum256(source)
	return hex.EncodeToString(sum[:8])
}

// Options tune Parse. The zero value knows no environment variables.
type Options struct {
	LookupEnv func(name string) (string, bool)
	// AllowUnset leaves values empty whose ${NAME} is not set, instead of reporting
	// them: for tools that look at a file outside the proxy's environment.
	AllowUnset bool
	// Owned reports whether a split is past the step at which the service owns its
	// tables; nil: none is.
	Owned func(split string) bool
}

// Parse reads and checks source. The document is returned also when the check fails
// but the YAML is well-formed; the error then is a *yamldoc.ProblemsError.
func Parse(name string, source []byte, opts Options) (*Config, *yamldoc.Document, error) {
	doc, err := yamldoc.Parse(name, source)
	if err != nil {
		return nil, nil, err
	}
	if opts.LookupEnv == nil {
		opts.LookupEnv = func(string) (string, bool) { return "", false }
	}
	c := checker{lookup: opts.LookupEnv, allowUnset: opts.AllowUnset, owned: opts.Owned, folder: filepath.Dir(name)}
	cfg := c.config(doc.Root)
	if len(c.problems) > 0 {
		return nil, doc, doc.Fail(c.problems...)
	}
	cfg.Name, cfg.Hash = name, HashOf(source)
	return cfg, doc, nil
}

// Single is the configuration without a file: everything goes to the monolith.
func Single(address, admin, monolith string) (*Config, error) {
	u, reason := parseURL(monolith)
	if reason != "" {
		return nil, &urlError{monolith, reason}
	}
	table, err := route.Build(nil)
	if err != nil {
		return nil, err
	}
	return &Config{
		Listen: address, Admin: admin, Front: listen.Settings{Limits: listen.DefaultLimits()}, Table: table, Fallback: defaultFallback(), Retry: defaultRetry(),
		Sticky: defaultSticky(), Guard: defaultGuard(), Shadow: shadow.Default(), Discovery: discover.DefaultSettings(), AccessLog: AccessLog{Format: LogAuto},
		Monolith: Upstream{Name: MonolithName, URLs: []*url.URL{u}, Waits: Waits{Timeout: DefaultMonolithTimeout}},
	}, nil
}

type urlError struct{ url, reason string }

func (e *urlError) Error() string { return "url " + e.url + ": " + e.reason }
