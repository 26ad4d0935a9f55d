package admin

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

// A Steerer is a proxy whose routes can be moved.
type Steerer interface {
	// Steering returns the file that the proxy follows, or nil if it has none.
	Steering() *steer.File
	// Configuration is the configuration in use.
	Configuration() *config.Config
}

// A steering serves the requests that look at routes and move them.
type steering struct {
	proxy Proxy
	log   *slog.Logger
}

// fail answers an error, and logs what the answer does not tell.
func (s steering) fail(w http.ResponseWriter, err error) {
	if problemOf(err).Status == http.StatusInternalServerError {
		s.log.Error("a request to the admin address failed", "err", err)
	}
	fail(w, err)
}

func (s steering) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /routes", s.list)
	mux.HandleFunc("GET /routes/{name}", s.show)
	mux.HandleFunc("PATCH /routes", s.does(s.moveAll))
	mux.HandleFunc("PATCH /routes/{name}", s.does(s.move))
	mux.HandleFunc("POST /routes/{name}/rollback", s.does(s.rollback))
	mux.HandleFunc("POST /routes/{name}/pause", s.does(s.note(audit.Pause)))
	mux.HandleFunc("POST /routes/{name}/resume", s.does(s.note(audit.Resume)))
	mux.HandleFunc("POST /routes/{name}/confirm", s.does(s.note(audit.Confirm)))
	mux.HandleFunc("POST /panic", s.does(s.panic))
	mux.HandleFunc("DELETE /panic", s.does(s.calm))
	mux.HandleFunc("GET /audit", s.audit)
}

// A RouteList is the answer to GET /routes. Its ETag is the configuration's hash.
type RouteList struct {
	Schema int     `json:"schema"`
	Hash   string  `json:"hash"`
	Panic  string  `json:"panic,omitempty"`
	Routes []Route `json:"routes"`
	Groups []Group `json:"groups"`
}

// A Group is a set of routes that move together.
type Group struct {
	Name   string   `json:"name"`
	Routes []string `json:"routes"`
	Stage  string   `json:"stage,omitempty"` // of all of them; without it each has its own
}

func (s steering) list(w http.ResponseWriter, _ *http.Request) {
	st, cfg := s.proxy.Status(), s.proxy.Configuration()
	list := RouteList{Schema: 1, Hash: st.Config.Hash, Panic: st.Panic, Routes: st.Routes, Groups: []Group{}}
	for i := range cfg.Groups {
		list.Groups = append(list.Groups, groupOf(&cfg.Groups[i]))
	}
	setTag(w, st.Config.Hash)
	answer(w, http.StatusOK, list)
}

func groupOf(g *config.Group) Group { return Group{g.Name, g.Routes, g.Stage.String()} }

// A RoutePage is the answer to GET /routes/{name}: a route or a group.
type RoutePage struct {
	Schema int    `json:"schema"`
	Hash   string `json:"hash"`
	Route  *Route `json:"route,omitempty"`
	Group  *Group `json:"group,omitempty"`
}

func (s steering) show(w http.ResponseWriter, r *http.Request) {
	name, st, cfg := r.PathValue("name"), s.proxy.Status(), s.proxy.Configuration()
	page := RoutePage{Schema: 1, Hash: st.Config.Hash}
	for i := range st.Routes {
		if st.Routes[i].Name == name {
			page.Route = &st.Routes[i]
		}
	}
	if g := cfg.Group(name); g != nil {
		group := groupOf(g)
		page.Group = &group
	}
	if page.Route == nil && page.Group == nil {
		s.fail(w, config.UnknownRoute(cfg, name))
		return
	}
	setTag(w, st.Config.Hash)
	answer(w, http.StatusOK, page)
}

func setTag(w http.ResponseWriter, hash string) { w.Header().Set("ETag", `"`+hash+`"`) }

// An AuditPage is the answer to GET /audit, the newest entry last.
type AuditPage struct {
	Schema  int           `json:"schema"`
	Entries audit.History `json:"entries"`
}

// limitEntries is how many entries GET /audit gives unless it is asked for others.
const limitEntries = 100

func (s steering) audit(w http.ResponseWriter, r *http.Request) {
	f := s.proxy.Steering()
	if f == nil {
		s.fail(w, noFile())
		return
	}
	limit := limitEntries
	if given := r.URL.Query().Get("limit"); given != "" {
		n, err := strconv.Atoi(given)
		if err != nil || n < 1 {
			s.fail(w, &problem{Status: http.StatusBadRequest, Code: "bad_limit", Message: "limit must be a whole number from 1"})
			return
		}
		limit = n
	}
	history, err := f.History()
	if err != nil {
		s.fail(w, err)
		return
	}
	if name := r.URL.Query().Get("route"); name != "" {
		history = history.Of(name)
	}
	history = history[max(0, len(history)-limit):]
	answer(w, http.StatusOK, AuditPage{1, append(audit.History{}, history...)})
}

func noFile() error {
	return &problem{Status: http.StatusConflict, Code: "no_file", Message: "the proxy runs without a configuration file", Remedy: "start it with one"}
}

// A Steered is the answer to a request that moved something.
type Steered struct {
	Schema      int               `json:"schema"`
	Changed     bool              `json:"changed"`
	Moves       []Moved           `json:"moves,omitempty"`
	Panic       string            `json:"panic,omitempty"`
	OldHash     string            `json:"old_config_hash"`
	NewHash     string            `json:"new_config_hash"`
	Overruled   []route.Objection `json:"overruled,omitempty"`
	Warning     string            `json:"warning,omitempty"` // the audit log has no line about it, or the proxy rejects the file
	ConfigInUse Config            `json:"config"`
}

// Moved is a route, or a group, and what became of its stage.
type Moved struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

// does turns an order into a handler: it reads who sends it, makes the change, lets the
// proxy follow and answers.
func (s steering) does(change func(context.Context, *steer.File, *http.Request, http.ResponseWriter, steer.Order) (*steer.Result, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f := s.proxy.Steering()
		if f == nil {
			s.fail(w, noFile())
			return
		}
		hash, err := matched(r.Header.Values("If-Match"))
		if err != nil {
			s.fail(w, err)
			return
		}
		// A client that leaves now has asked for the change all the same.
		ctx := context.WithoutCancel(r.Context())
		result, err := change(ctx, f, r, w, steer.Order{Actor: actorOf(r), IfMatch: hash, Evidence: s.evidence})
		if err != nil {
			s.fail(w, err)
			return
		}
		s.answer(w, result)
	}
}

func (s steering) answer(w http.ResponseWriter, result *steer.Result) {
	reply := Steered{
		Schema: 1, Changed: result.Changed(), Panic: result.After.Panic, OldHash: result.Before.Hash, NewHash: result.After.Hash,
		Overruled: result.Objections,
	}
	for _, c := range result.Changes {
		reply.Moves = append(reply.Moves, Moved{c.Name, c.From.String(), c.To.String()})
	}
	if result.NotNoted != nil {
		reply.Warning = "the change was made, but not noted in the audit log"
	}
	if result.Changed() {
		if err := s.proxy.Reload(); err != nil {
			reply.Warning = "the file was changed, but the proxy rejects it; see config.errors"
		}
	}
	reply.ConfigInUse = s.proxy.Status().Config
	setTag(w, reply.NewHash)
	answer(w, http.StatusOK, reply)
}

func (s steering) evidence(name string) route.Evidence { return s.proxy.Status().Evidence(name) }

// matched reads If-Match: one hash in quotes, or * for any.
func matched(values []string) (hash string, err error) {
	switch {
	case len(values) == 0, len(values) == 1 && strings.TrimSpace(values[0]) == "*":
		return "", nil
	case len(values) == 1:
		tag := strings.TrimSpace(values[0])
		if inner := strings.Trim(tag, `"`); inner != "" && tag == `"`+inner+`"` && !strings.ContainsAny(inner, `",`) {
			return inner, nil
		}
	}
	return "", &problem{Status: http.StatusPreconditionFailed, Code: "stale", Message: "If-Match must be one ETag of this address", Remedy: "get it from GET /routes"}
}

// why is the body of every order; move and moveAll have more.
type why struct {
	Reason string `json:"reason"`
	Force  bool   `json:"force"`
}

func (b why) of(o steer.Order) steer.Order {
	o.Reason, o.Force = b.Reason, b.Force
	return o
}

func (s steering) move(ctx context.Context, f *steer.File, r *http.Request, w http.ResponseWriter, o steer.Order) (*steer.Result, error) {
	var body struct {
		Stage string `json:"stage"`
		why
	}
	if err := decode(w, r, &body, false); err != nil {
		return nil, err
	}
	return set(ctx, f, body.of(o), map[string]string{r.PathValue("name"): body.Stage})
}

func (s steering) moveAll(ctx context.Context, f *steer.File, r *http.Request, w http.ResponseWriter, o steer.Order) (*steer.Result, error) {
	var body struct {
		Stages map[string]string `json:"stages"`
		why
	}
	if err := decode(w, r, &body, false); err != nil {
		return nil, err
	}
	if len(body.Stages) == 0 {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Message: "stages is empty", Remedy: `send {"stages": {"NAME": "STAGE"}}`}
	}
	return set(ctx, f, body.of(o), body.Stages)
}

func set(ctx context.Context, f *steer.File, o steer.Order, stages map[string]string) (*steer.Result, error) {
	moves, err := steer.Moves(stages)
	if err != nil {
		return nil, err
	}
	return f.Set(ctx, moves, o)
}

func (s steering) rollback(ctx context.Context, f *steer.File, r *http.Request, w http.ResponseWriter, o steer.Order) (*steer.Result, error) {
	var body why
	if err := decode(w, r, &body, true); err != nil {
		return nil, err
	}
	return f.Rollback(ctx, r.PathValue("name"), body.of(o))
}

func (s steering) note(action string) func(context.Context, *steer.File, *http.Request, http.ResponseWriter, steer.Order) (*steer.Result, error) {
	return func(ctx context.Context, f *steer.File, r *http.Request, w http.ResponseWriter, o steer.Order) (*steer.Result, error) {
		var body reasonOnly
		if err := decode(w, r, &body, true); err != nil {
			return nil, err
		}
		o.Reason = body.Reason
		return f.Note(ctx, action, r.PathValue("name"), o)
	}
}

type reasonOnly struct {
	Reason string `json:"reason"`
}

func (s steering) panic(ctx context.Context, f *steer.File, r *http.Request, w http.ResponseWriter, o steer.Order) (*steer.Result, error) {
	var body reasonOnly
	if err := decode(w, r, &body, false); err != nil {
		return nil, err
	}
	o.Reason = body.Reason
	return f.Panic(ctx, o)
}

func (s steering) calm(ctx context.Context, f *steer.File, r *http.Request, w http.ResponseWriter, o steer.Order) (*steer.Result, error) {
	var body reasonOnly
	if err := decode(w, r, &body, true); err != nil {
		return nil, err
	}
	o.Reason = body.Reason
	return f.Calm(ctx, o)
}
