package split

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/control"
	"github.com/stranglerfig/toolkit/migrations/split/state"
)

// A completeReply is what a run answers when it was asked to complete the move.
type completeReply struct {
	Report CompleteReport `json:"report"`
	Failed string         `json:"failed,omitempty"`
	Code   int            `json:"code,omitempty"`
}

// completeFor completes the move for another command.
func (r *runner) completeFor(ctx context.Context, q *control.Request) completeReply {
	var o CompleteOptions
	var reply completeReply
	err := json.Unmarshal(q.Data, &o)
	if err == nil {
		reply.Report, err = r.Complete(ctx, o)
	}
	if err != nil {
		reply.Failed, reply.Code = err.Error(), program.Code(err)
	}
	return reply
}

// completing reports whether the way back is gone already: then only complete goes on.
func (r *runner) completing(ctx context.Context) bool {
	source, target, err := r.states(context.WithoutCancel(ctx))
	return err == nil && state.Of(source, target) == state.Completing
}

// over ends the run, because the move has ended by another command.
func (r *runner) over(command string) { r.ended, r.Over = true, command }

// CompleteBy completes the move by whoever works on the split: a run that is alive does
// it and ends; without one, or if it dies on the way, this process does it itself.
func (e *Engine) CompleteBy(ctx context.Context, o CompleteOptions) (CompleteReport, error) {
	o.By = cmp.Or(o.By, e.opts.Actor)
	report, err := e.askComplete(ctx, o)
	if !errors.Is(err, control.ErrNobody) {
		return report, err
	}
	w, err := e.Begin(ctx, "complete", Any)
	if err != nil {
		return CompleteReport{Schema: 1, Split: e.Plan.Split}, err
	}
	report, err = w.Complete(w.Context(), o)
	return report, errors.Join(err, w.End())
}

func (e *Engine) askComplete(ctx context.Context, o CompleteOptions) (CompleteReport, error) {
	none := CompleteReport{Schema: 1, Split: e.Plan.Split}
	b, err := e.askRun(ctx, AskComplete, o)
	if err != nil {
		return none, err
	}
	var reply completeReply
	if err := json.Unmarshal(b, &reply); err != nil {
		return none, fmt.Errorf("the run's answer is not understood: %w", err)
	}
	if reply.Failed != "" {
		return reply.Report, &program.Error{Code: reply.Code, Err: errors.New(reply.Failed)}
	}
	return reply.Report, nil
}

// askRun asks the run of the split. It fails with control.ErrNobody if there is none.
func (e *Engine) askRun(ctx context.Context, kind string, data any) (json.RawMessage, error) {
	if e.opts.Store == nil {
		return nil, control.ErrNobody
	}
	h, ok, err := e.opts.Store.Holder(ctx, e.Plan.Split)
	if err != nil || !ok || h.Doing != "run" {
		return nil, errors.Join(err, control.ErrNobody)
	}
	b, err := e.opts.Store.Ask(ctx, e.Plan.Split, kind, data)
	if err != nil {
		return nil, err
	}
	var refusal struct {
		Error string `json:"error"` // of the run itself
	}
	if err := json.Unmarshal(b, &refusal); err == nil && refusal.Error != "" {
		return nil, fmt.Errorf("the run could not %s: %s", kind, refusal.Error)
	}
	return b, nil
}
