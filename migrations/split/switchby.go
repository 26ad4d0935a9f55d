package split

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
)

// A switchReply is what a run answers when it was asked for a switch.
type switchReply struct {
	Report SwitchReport `json:"report"`
	Failed string       `json:"failed,omitempty"`
	Code   int          `json:"code,omitempty"`
	Owns   bool         `json:"owns,omitempty"` // ErrOwns
}

// Switches are the requests for a switch that a run carries out; they go into Handle.
func Switches() map[string]func(context.Context, *Work, *control.Request) (any, error) {
	handler := func(to ownership.Owner) func(context.Context, *Work, *control.Request) (any, error) {
		return func(ctx context.Context, w *Work, r *control.Request) (any, error) {
			var o SwitchOptions
			if err := json.Unmarshal(r.Data, &o); err != nil {
				return nil, fmt.Errorf("the request is not understood: %w", err)
			}
			report, err := w.Switch(ctx, to, o)
			reply := switchReply{Report: report}
			if err != nil {
				reply.Failed, reply.Code, reply.Owns = err.Error(), program.Code(err), errors.Is(err, ownership.ErrOwns)
			}
			return reply, nil
		}
	}
	return map[string]func(context.Context, *Work, *control.Request) (any, error){
		command(ownership.Target): handler(ownership.Target), command(ownership.Source): handler(ownership.Source),
	}
}

// SwitchBy makes the switch by whoever works on the split: a run that is alive makes it
// and goes on in the other direction; without one, or if it dies on the way, this process
// makes it itself.
func (e *Engine) SwitchBy(ctx context.Context, to ownership.Owner, o SwitchOptions) (SwitchReport, error) {
	o.By = cmp.Or(o.By, e.opts.Actor)
	report, err := e.askSwitch(ctx, to, o)
	if !errors.Is(err, control.ErrNobody) {
		return report, err
	}
	w, err := e.Begin(ctx, command(to), Begun)
	if err != nil {
		return SwitchReport{Schema: 1, Split: e.Plan.Split}, err
	}
	report, err = w.Switch(w.Context(), to, o)
	return report, errors.Join(err, w.End())
}

func (e *Engine) askSwitch(ctx context.Context, to ownership.Owner, o SwitchOptions) (SwitchReport, error) {
	none := SwitchReport{Schema: 1, Split: e.Plan.Split}
	b, err := e.askRun(ctx, command(to), o)
	if err != nil {
		return none, err
	}
	var reply switchReply
	switch err := json.Unmarshal(b, &reply); {
	case err != nil:
		return none, fmt.Errorf("the run's answer is not understood: %w", err)
	case reply.Owns:
		return reply.Report, fmt.Errorf("the %s %w (epoch %d)", to, ownership.ErrOwns, reply.Report.Epoch)
	case reply.Failed != "":
		return reply.Report, &program.Error{Code: reply.Code, Err: errors.New(reply.Failed)}
	}
	return reply.Report, nil
}
