package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stranglerfig/toolkit/strangler-proxy/hold"
)

// A Holder is a proxy whose requests can be held.
type Holder interface {
	// Hold begins a hold; the names of the order may be those of groups, too.
	Hold(o hold.Order) (hold.Status, error)
	// Holds keeps the holds.
	Holds() *hold.Keeper
}

// holding serves the requests about holds.
type holding struct{ steering }

func (s holding) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /-/holds", s.list)
	mux.HandleFunc("POST /-/holds", s.begin)
	mux.HandleFunc("GET /-/holds/{id}", s.show)
	mux.HandleFunc("PUT /-/holds/{id}", s.renew)
	mux.HandleFunc("POST /-/holds/{id}/drain", s.drain)
	mux.HandleFunc("DELETE /-/holds/{id}", s.release)
}

// A HoldList is the answer to GET /-/holds.
type HoldList struct {
	Schema int           `json:"schema"`
	Holds  []hold.Status `json:"holds"`
}

// A HoldPage is the answer to requests about one hold.
type HoldPage struct {
	Schema int         `json:"schema"`
	Hold   hold.Status `json:"hold"`
}

func (s holding) list(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, HoldList{1, s.proxy.Holds().List()})
}

func (s holding) show(w http.ResponseWriter, r *http.Request) {
	status, err := s.proxy.Holds().Get(r.PathValue("id"))
	s.page(w, status, err)
}

// page answers with a hold, or says why there is none.
func (s holding) page(w http.ResponseWriter, status hold.Status, err error) {
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, HoldPage{1, status})
}

// A holdOrder is the body of POST /-/holds.
type holdOrder struct {
	ID       string   `json:"id"`
	Claim    int64    `json:"claim"`
	Holder   string   `json:"holder"`
	Split    string   `json:"split"`
	Routes   []string `json:"routes"`
	Reads    bool     `json:"reads"`
	TTL      duration `json:"ttl"`
	Limit    duration `json:"limit"`
	Requests int      `json:"max_requests"`
	Bytes    int64    `json:"max_bytes"`
}

func (s holding) begin(w http.ResponseWriter, r *http.Request) {
	var body holdOrder
	if err := decode(w, r, &body, false); err != nil {
		s.fail(w, err)
		return
	}
	status, err := s.proxy.Hold(hold.Order{
		ID: body.ID, Claim: body.Claim, Holder: body.Holder, Split: body.Split, Routes: body.Routes, Reads: body.Reads,
		TTL: time.Duration(body.TTL), Limit: time.Duration(body.Limit), Requests: body.Requests, Bytes: body.Bytes,
	})
	s.page(w, status, err)
}

func (s holding) renew(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Claim int64    `json:"claim"`
		TTL   duration `json:"ttl"`
	}
	if err := decode(w, r, &body, true); err != nil {
		s.fail(w, err)
		return
	}
	status, err := s.proxy.Holds().Renew(r.PathValue("id"), body.Claim, time.Duration(body.TTL))
	s.page(w, status, err)
}

// A DrainPage is the answer to POST /-/holds/{id}/drain.
type DrainPage struct {
	Schema int `json:"schema"`
	hold.Drain
}

// Limits of a drain.
const (
	defaultDrain = 5 * time.Second
	limitDrain   = 30 * time.Second
)

func (s holding) drain(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Claim int64    `json:"claim"`
		Wait  duration `json:"wait"`
	}
	if err := decode(w, r, &body, true); err != nil {
		s.fail(w, err)
		return
	}
	wait := time.Duration(body.Wait)
	if wait == 0 {
		wait = defaultDrain
	}
	if wait < 0 || wait > limitDrain {
		s.fail(w, &problem{Status: http.StatusUnprocessableEntity, Code: "invalid", Message: "a drain cannot wait " + wait.String(), Remedy: "at most 30s"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	left, err := s.proxy.Holds().Drain(ctx, r.PathValue("id"), body.Claim)
	if err != nil {
		s.fail(w, err)
		return
	}
	answer(w, http.StatusOK, DrainPage{1, left})
}

func (s holding) release(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Claim int64 `json:"claim"`
	}
	if err := decode(w, r, &body, true); err != nil {
		s.fail(w, err)
		return
	}
	status, err := s.proxy.Holds().Release(r.PathValue("id"), body.Claim)
	s.page(w, status, err)
}

// holdProblem turns errors of holds into answers, or returns nil.
func holdProblem(err error) *problem {
	var (
		claimed *hold.ClaimError
		overlap *hold.OverlapError
	)
	switch {
	case errors.Is(err, hold.ErrUnknown):
		return &problem{Status: http.StatusNotFound, Code: "no_hold", Message: "there is no such hold, or it has ended", Remedy: "begin another: what was parked has gone on"}
	case errors.As(err, &claimed):
		return &problem{Status: http.StatusConflict, Code: "claimed", Message: err.Error(), Remedy: "leave it to them"}
	case errors.As(err, &overlap):
		return &problem{Status: http.StatusConflict, Code: "held", Message: err.Error(), Remedy: "wait until it ends"}
	}
	return nil
}
