package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/breaker"
	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/shadow"
)

// A checker turns the tree into a Config and collects all problems on its way.
type checker struct {
	lookup     func(string) (string, bool)
	allowUnset bool
	folder     string // of the file
	owned      func(split string) bool
	forced     route.Force
	problems   []yamldoc.Problem
}

func (c *checker) add(pos yamldoc.Pos, remedy, format string, args ...any) {
	c.problems = append(c.problems, yamldoc.Problem{Pos: pos, Text: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (c *checker) config(root *yamldoc.Node) *Config {
	cfg := &Config{Listen: DefaultListen, Admin: DefaultAdmin, Front: listen.Settings{Limits: listen.DefaultLimits()}, Fallback: defaultFallback(), Retry: defaultRetry(), Sticky: defaultSticky(), Shadow: shadow.Default(), Discovery: discover.DefaultSettings()}
	cfg.Guard = defaultGuard()
	if root.Kind == yamldoc.Null {
		c.add(root.Pos, "begin with: version: 1", "the file is empty")
		return cfg
	}
	top, ok := c.section(root, topSection, "file")
	if !ok {
		return cfg
	}
	c.version(top["version"])
	if n := top["listen"]; n != nil {
		cfg.Listen = c.address(n, "listen")
	}
	c.listen(top, cfg)
	if n := top["admin"]; n != nil {
		c.admin(n, cfg)
	}
	if n := top["guard"]; n != nil {
		cfg.Guard = c.guard(n)
	}
	if n := top["audit"]; n != nil {
		c.audit(n, cfg)
	}
	if n := top["marks"]; n != nil {
		cfg.Marks = c.marks(n)
	}
	if n := top["panic"]; n != nil {
		cfg.Panic = c.panic(n)
	}
	waits := c.defaults(top["defaults"], cfg)
	cfg.Waits = waits
	if n := top["monolith"]; n != nil {
		cfg.Monolith = c.upstream(n, monolithSection, MonolithName, Waits{Timeout: DefaultMonolithTimeout})
		cfg.Monolith.Name = MonolithName
	}
	if n := top["services"]; n != nil {
		c.services(n, cfg, waits)
	}
	c.loops(top, cfg)
	if n := top["force"]; n != nil {
		c.forced = c.force(n, cfg)
	}
	groups := c.groups(top["groups"], top["routes"], cfg)
	if n := top["routes"]; n != nil {
		c.routes(n, groups, cfg, waits)
	}
	cfg.Discovery = c.discovery(top["discovery"])
	cfg.AccessLog = c.log(top["log"])
	cfg.Tracing = c.tracing(top["tracing"])
	c.tests(top["tests"], cfg)
	if len(c.problems) > 0 {
		return cfg
	}
	c.compile(cfg)
	return cfg
}

// section checks that n is a mapping with the keys of s and no others, none twice.
// what names it in messages, such as `route "orders"`.
func (c *checker) section(n *yamldoc.Node, s Section, what string) (map[string]*yamldoc.Node, bool) {
	if n.Kind != yamldoc.Map {
		c.add(n.Pos, "keys: "+strings.Join(s.names(), ", "), "%s must be a mapping, this is %s", what, n.Kind)
		return nil, false
	}
	values := map[string]*yamldoc.Node{}
	first := map[string]int{}
	for _, e := range n.Entries {
		if line := first[e.Key]; line != 0 {
			c.add(e.KeyPos, fmt.Sprintf("first on line %d", line), "key %q stands twice in %s", e.Key, what)
			continue
		}
		first[e.Key] = e.KeyPos.Line
		if !s.has(e.Key) {
			c.add(e.KeyPos, yamldoc.DidYouMean(e.Key, s.names()), "unknown key %q in %s", e.Key, what)
			continue
		}
		values[e.Key] = e.Value
	}
	for _, k := range s.Keys {
		if k.Required && first[k.Name] == 0 {
			c.add(n.Pos, whyRequired(s, k, n), "%s has no %q", what, k.Name)
		}
	}
	return values, true
}

// whyRequired says why the monolith cannot be left out while a route is not done: what
// a route has not taken over for good is the monolith's.
func whyRequired(s Section, k Key, n *yamldoc.Node) string {
	routes := n.Get("routes")
	if s.Path != topSection.Path || k.Name != "monolith" || routes == nil {
		return ""
	}
	for _, e := range routes.Entries {
		if stage := e.Value.Get("stage"); stage != nil && stage.Text != route.Done.String() {
			return fmt.Sprintf("route %q is at %s, not %s", e.Key, stage.Text, route.Done)
		}
	}
	return "it answers whatever no route takes"
}

func (s Section) has(key string) bool {
	for _, k := range s.Keys {
		if k.Name == key {
			return true
		}
	}
	return false
}

func (c *checker) version(n *yamldoc.Node) {
	if n != nil && (n.Kind != yamldoc.Number || n.Text != "1") {
		c.add(n.Pos, "write: version: 1", "version %s is not known to this program", orNothing(n))
	}
}

func orNothing(n *yamldoc.Node) string {
	if n.Text == "" {
		return n.Kind.String()
	}
	return n.Text
}

func (c *checker) admin(n *yamldoc.Node, cfg *Config) {
	keys, ok := c.section(n, adminSection, "admin")
	if !ok {
		return
	}
	if t := keys["token_file"]; t != nil {
		if cfg.Tokens = c.text(t, "admin.token_file"); cfg.Tokens != "" && !filepath.IsAbs(cfg.Tokens) {
			cfg.Tokens = filepath.Join(c.folder, cfg.Tokens)
		}
	}
	listen := keys["listen"]
	if listen == nil {
		return
	}
	cfg.Admin = c.address(listen, "admin.listen")
	if cfg.Admin != "" && !IsLoopback(cfg.Admin) && keys["token_file"] == nil {
		c.add(listen.Pos, "use 127.0.0.1:PORT, or set admin.token_file", "admin.listen must be a loopback address: whoever reaches it controls the proxy")
	}
}

func (c *checker) defaults(n *yamldoc.Node, cfg *Config) Waits {
	waits := Waits{Timeout: DefaultServiceTimeout}
	if n == nil {
		return waits
	}
	keys, ok := c.section(n, defaultsSection, "defaults")
	if !ok {
		return waits
	}
	c.waits(keys, "defaults", &waits)
	if f := keys["fallback"]; f != nil {
		keys, _ := c.section(f, fallbackSection, "defaults.fallback")
		c.fallbackKeys(keys, "defaults.fallback", &cfg.Fallback)
		if m := keys["max"]; m != nil {
			cfg.Fallback.Max = c.budget(m)
		}
	}
	if r := keys["retry"]; r != nil {
		c.retry(r, retrySection, "defaults.retry", &cfg.Retry)
	}
	if s := keys["sticky"]; s != nil {
		cfg.Sticky = c.sticky(s, "defaults.sticky")
	}
	if s := keys["shadow"]; s != nil {
		cfg.shadowWrites = c.shadowing(s, shadowSection, "defaults.shadow", &cfg.Shadow)
	}
	return waits
}

func (c *checker) upstream(n *yamldoc.Node, s Section, what string, waits Waits) Upstream {
	u := Upstream{Waits: waits, Checks: defaultChecks(), SlowStart: defaultSlowStart}
	if s.Path == serviceSection.Path {
		on := breaker.Default()
		u.Breaker = &on
	}
	if n.Kind == yamldoc.String {
		u.URLs = c.urls(n, what)
		return u
	}
	if n.Kind != yamldoc.Map {
		c.add(n.Pos, "e.g. http://127.0.0.1:9000", "%s must be a url or a mapping, this is %s", what, n.Kind)
		return u
	}
	keys, _ := c.section(n, s, what)
	if url := keys["url"]; url != nil {
		u.URLs = c.urls(url, what+".url")
		if s.Path == monolithSection.Path && url.Kind == yamldoc.List {
			c.add(url.Pos, "", "monolith.url must be one url")
		}
	}
	if h := keys["health"]; h != nil {
		c.health(h, what+".health", &u)
	}
	if s := keys["slow_start"]; s != nil {
		u.SlowStart = c.duration(s, what+".slow_start")
	}
	c.waits(keys, what, &u.Waits)
	if b := keys["breaker"]; b != nil {
		u.Breaker = c.breaker(b, what+".breaker")
	}
	if s := keys["sandbox"]; s != nil {
		u.Sandbox = c.boolean(s, what+".sandbox")
	}
	return u
}

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// named calls each for every entry of a mapping from names.
func (c *checker) named(n *yamldoc.Node, what string, each func(e yamldoc.Entry)) {
	if n.Kind == yamldoc.Null || n.Kind == yamldoc.List && len(n.Items) == 0 {
		return
	}
	if n.Kind != yamldoc.Map {
		c.add(n.Pos, "", "%ss must be a mapping from names, this is %s", what, n.Kind)
		return
	}
	first := map[string]int{}
	for _, e := range n.Entries {
		switch {
		case first[e.Key] != 0:
			c.add(e.KeyPos, fmt.Sprintf("first on line %d", first[e.Key]), "%s %q stands twice", what, e.Key)
			continue
		case !validName.MatchString(e.Key):
			c.add(e.KeyPos, "letters, digits, . _ -; at most 64", "%q is no name for a %s", e.Key, what)
		}
		first[e.Key] = e.KeyPos.Line
		each(e)
	}
}

func (c *checker) services(n *yamldoc.Node, cfg *Config, waits Waits) {
	c.named(n, "service", func(e yamldoc.Entry) {
		if e.Key == MonolithName || e.Key == ProxyName {
			c.add(e.KeyPos, "", "a service cannot be named %q: answers are marked with that name", e.Key)
		}
		service := c.upstream(e.Value, serviceSection, fmt.Sprintf("service %q", e.Key), waits)
		service.Name = e.Key
		cfg.Services = append(cfg.Services, service)
	})
}

func (c *checker) routes(n *yamldoc.Node, groups map[string]membership, cfg *Config, waits Waits) {
	c.named(n, "route", func(e yamldoc.Entry) {
		what := fmt.Sprintf("route %q", e.Key)
		if e.Key == route.Default {
			c.add(e.KeyPos, "", "a route cannot be named %q: requests without a route are reported so", e.Key)
		}
		keys, ok := c.section(e.Value, routeSection, what)
		if !ok {
			return
		}
		r := Route{Route: route.Route{Name: e.Key}, Line: e.KeyPos.Line, Waits: waits, Fallback: cfg.Fallback, Retry: cfg.Retry}
		if m := keys["match"]; m != nil {
			r.Match = c.match(m, what)
		}
		c.join(&r, keys, e.Value.Pos, groups[e.Key], cfg)
		r.Data = c.dataOf(keys["data"], &r)
		if n := keys["cohorts"]; n != nil {
			r.Cohorts = c.cohorts(n, what)
		}
		c.target(&r, keys["to"], e.KeyPos, cfg)
		c.troubles(&r, keys, what)
		c.copies(&r, keys, what, cfg)
		c.automate(&r, keys, what, groups[e.Key])
		cfg.Routes = append(cfg.Routes, r)
	})
	c.ambiguous(n, cfg)
}

func (c *checker) stage(n *yamldoc.Node, what string) route.Stage {
	text := c.text(n, what+".stage")
	if text == "" {
		return 0
	}
	stage, err := route.ParseStage(text)
	if err != nil {
		c.add(n.Pos, stageRemedy(text), "%s: %v", what, err)
	}
	return stage
}

func (c *checker) target(r *Route, to *yamldoc.Node, pos yamldoc.Pos, cfg *Config) {
	if to == nil {
		if r.Stage > route.Monolith {
			c.add(pos, "add to: SERVICE", "route %q is at stage %s but has no service", r.Name, r.Stage)
		}
		return
	}
	r.Service = c.text(to, fmt.Sprintf("route %q.to", r.Name))
	if r.Service == "" {
		return
	}
	service := cfg.Service(r.Service)
	if service == nil {
		var names []string
		for _, s := range cfg.Services {
			names = append(names, s.Name)
		}
		remedy := yamldoc.DidYouMean(r.Service, names)
		if len(names) == 0 {
			remedy = "declare it under services"
		}
		c.add(to.Pos, remedy, "route %q goes to %q, which is not among the services", r.Name, r.Service)
		return
	}
	r.Waits = service.Waits
}

// troubles reads what the route does when its service is in trouble.
func (c *checker) troubles(r *Route, keys map[string]*yamldoc.Node, what string) {
	c.waits(keys, what, &r.Waits)
	if n := keys["fallback"]; n != nil {
		c.fallback(n, what+".fallback", &r.Fallback)
	}
	if n := keys["retry"]; n != nil {
		c.retry(n, routeRetrySection, what+".retry", &r.Retry)
	}
}

func (c *checker) compile(cfg *Config) {
	routes := make([]route.Route, len(cfg.Routes))
	for i, r := range cfg.Routes {
		routes[i] = r.Route
	}
	table, err := route.Build(routes)
	if err != nil {
		c.add(yamldoc.Pos{Line: 1, Column: 1}, "", "%v", err)
		return
	}
	cfg.Table = table.With(route.Policy{Panic: cfg.Panic != "", Force: c.forced})
}
