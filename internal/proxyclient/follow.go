package proxyclient

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"
)

func (p *Proxies) splitPath() string { return "/-/splits/" + url.PathEscape(p.order.Split) }

// An owner is the body of PUT /-/splits/NAME/owner.
type owner struct {
	Owner  string   `json:"owner"`
	Epoch  int64    `json:"epoch,omitempty"`
	Routes []string `json:"routes"`
	DryRun bool     `json:"dry_run,omitempty"`
}

// A Moved is a route or group whose stage a proxy changed, or would change.
type Moved struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

// A State is what one proxy knows of the split.
type State struct {
	Proxy string
	Owner string  // source or target
	Epoch int64   // of the last switch it was told of; 0 for none
	Moves []Moved // that the new owner needs
}

// Check asks all proxies whether they could follow: they are there, know the routes, and
// can write their files. Nothing changes. to is source or target.
func (p *Proxies) Check(ctx context.Context, to string) ([]State, error) {
	return p.follow(ctx, "see whether it can follow", owner{Owner: to, Routes: p.order.Flip, DryRun: true})
}

// Follow tells all proxies who owns the tables since the switch epoch, and comes back
// when the routes lead there. Those that it reaches follow also when others fail.
func (p *Proxies) Follow(ctx context.Context, to string, epoch int64) ([]State, error) {
	return p.follow(ctx, "follow the owner", owner{Owner: to, Epoch: epoch, Routes: p.order.Flip})
}

func (p *Proxies) follow(ctx context.Context, doing string, body owner) ([]State, error) {
	var mu sync.Mutex
	var states []State
	wait := followWait
	if body.DryRun {
		wait = 0
	}
	err := p.each(func(one *proxy) error {
		var answer struct {
			Owner string  `json:"owner"`
			Epoch int64   `json:"epoch"`
			Moves []Moved `json:"moves"`
		}
		err := p.call(ctx, one, request{doing: doing, method: http.MethodPut, path: p.splitPath() + "/owner", body: body, answer: &answer, wait: wait})
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, State{one.base, answer.Owner, answer.Epoch, answer.Moves})
		}
		return err
	})
	return states, err
}

// followWait is how long a proxy may wait for others who write its files.
const followWait = 10 * time.Second

// A Report is what a coordinator says about its split.
type Report struct {
	Phase   string  `json:"phase"`
	Percent float64 `json:"percent"` // of the copy
	LagMS   float64 `json:"lag_ms"`
	Pending int64   `json:"pending_changes"`
	Rows    int64   `json:"rows"`
	Of      int64   `json:"rows_total"`
	Note    string  `json:"note,omitempty"`
	// Writes that each side has refused because it follows, and when the last one was.
	RefusedSource int64     `json:"refused_source,omitempty"`
	RefusedTarget int64     `json:"refused_target,omitempty"`
	RefusedAt     time.Time `json:"refused_at,omitzero"`
}

// Report lets the proxies show how far the split is.
func (p *Proxies) Report(ctx context.Context, r Report) error {
	return p.each(func(one *proxy) error {
		return p.call(ctx, one, request{doing: "report", method: http.MethodPut, path: p.splitPath(), body: r})
	})
}
