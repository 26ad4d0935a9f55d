package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

// A Splitter is a proxy that follows who owns the tables of splits.
type Splitter interface {
	// Follow writes down who owns the tables of a split and lets the routes lead there.
	// What is older than the last it was told is a *splits.EpochError.
	Follow(ctx context.Context, f Following) (Followed, error)
	// ReportSplit keeps what a coordinator says about its split, for others to see.
	ReportSplit(name string, r SplitReport) error
	// Splits lists what is known of the splits, by name.
	Splits() []Split
}

// A Split is one that the proxy knows: from its file, from a flip or from a report.
type Split struct {
	Name    string       `json:"name"`
	Owner   string       `json:"owner"`           // of the tables: source or target
	Epoch   int64        `json:"epoch"`           // of the last flip; 0 if there was none
	Since   *time.Time   `json:"since,omitempty"` // the last flip
	Pending bool         `json:"pending,omitempty"`
	Routes  []string     `json:"routes"` // whose data it moves, as the file says
	Report  *SplitReport `json:"report,omitempty"`
}

// A SplitReport is what the coordinator of a split says about it.
type SplitReport struct {
	Phase   string  `json:"phase"`
	Percent float64 `json:"percent,omitempty"` // of the copy
	LagMS   float64 `json:"lag_ms"`
	Pending int64   `json:"pending_changes"` // not yet applied
	Rows    int64   `json:"rows"`            // copied
	Of      int64   `json:"rows_total"`
	Note    string  `json:"note,omitempty"`
	// Writes that each side has refused because it follows, at least, and the last one.
	RefusedSource int64     `json:"refused_source"`
	RefusedTarget int64     `json:"refused_target"`
	RefusedAt     time.Time `json:"refused_at,omitzero"`
	At            time.Time `json:"at"` // when it came; the proxy's clock
}

// Following is an order to follow an owner.
type Following struct {
	Split  string
	Owner  string
	Epoch  int64
	Routes []string
	DryRun bool
	Actor  string
}

// Followed says how an owner is followed.
type Followed struct {
	Changed bool    `json:"changed"` // routes were moved
	Moves   []Moved `json:"moves,omitempty"`
	Owner   string  `json:"owner"`
	Epoch   int64   `json:"epoch"`
	Warning string  `json:"warning,omitempty"`
	Config  Config  `json:"config"`
}

// splitting serves the requests about splits.
type splitting struct{ steering }

func (s splitting) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /-/splits", s.list)
	mux.HandleFunc("GET /-/splits/{name}", s.show)
	mux.HandleFunc("PUT /-/splits/{name}", s.report)
	mux.HandleFunc("PUT /-/splits/{name}/owner", s.follow)
}

// A SplitList is the answer to GET /-/splits.
type SplitList struct {
	Schema int     `json:"schema"`
	Splits []Split `json:"splits"`
}

func (s splitting) list(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, SplitList{1, s.proxy.Splits()})
}

// A SplitPage is the answer to GET /-/splits/{name}.
type SplitPage struct {
	Schema int   `json:"schema"`
	Split  Split `json:"split"`
}

func (s splitting) show(w http.ResponseWriter, r *http.Request) {
	for _, split := range s.proxy.Splits() {
		if split.Name == r.PathValue("name") {
			answer(w, http.StatusOK, SplitPage{1, split})
			return
		}
	}
	s.fail(w, &problem{Status: http.StatusNotFound, Code: "not_found", Message: "there is no split of this name", Remedy: "GET /-/splits lists them"})
}

func (s splitting) report(w http.ResponseWriter, r *http.Request) {
	var body SplitReport
	err := decode(w, r, &body, false)
	if err == nil {
		err = s.proxy.ReportSplit(r.PathValue("name"), body)
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	s.show(w, r)
}

// A FollowPage is the answer to PUT /-/splits/{name}/owner.
type FollowPage struct {
	Schema int `json:"schema"`
	Followed
}

func (s splitting) follow(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Owner  string   `json:"owner"`
		Epoch  int64    `json:"epoch"`
		Routes []string `json:"routes"`
		DryRun bool     `json:"dry_run"`
	}
	if err := decode(w, r, &body, false); err != nil {
		s.fail(w, err)
		return
	}
	// A client that leaves now has asked for the change all the same.
	followed, err := s.proxy.Follow(context.WithoutCancel(r.Context()), Following{
		Split: r.PathValue("name"), Owner: body.Owner, Epoch: body.Epoch, Routes: body.Routes, DryRun: body.DryRun, Actor: actorOf(r),
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, FollowPage{1, followed})
}

// splitProblem turns errors of splits into answers, or returns nil.
func splitProblem(err error) *problem {
	var (
		old     *splits.EpochError
		foreign *steer.NotInSplitError
	)
	switch {
	case errors.As(err, &old):
		return &problem{Status: http.StatusConflict, Code: "old_epoch", Message: err.Error(), Remedy: "ask the databases: strangler split status"}
	case errors.As(err, &foreign):
		return &problem{Status: http.StatusConflict, Code: "not_in_split", Message: foreign.Error(), Remedy: "name it in the group of the route: split: " + foreign.Split}
	}
	return nil
}
