package split

import (
	"context"
	"errors"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/state"
)

// A SwitchPlan says what a switch would do, and what stands against it.
type SwitchPlan struct {
	Schema  int           `json:"schema"`
	Split   string        `json:"split"`
	Command string        `json:"command"`
	Giver   dialect.Info  `json:"giver"`
	Taker   dialect.Info  `json:"taker"`
	Epoch   int64         `json:"epoch"`
	Steps   []PlannedStep `json:"steps"`
	Pending int64         `json:"pending"` // changes that the taker has not got yet, and gets first
	Lost    int64         `json:"lost"`    // changes that it would not get
	Against []string      `json:"against"`
	Owns    bool          `json:"owns"` // the taker does already: there is nothing to do
}

// A PlannedStep is one step of a switch.
type PlannedStep struct {
	Step string `json:"step"`
	Does string `json:"does"`
}

// Prepare says what a switch would do. It takes no lease and changes nothing: neither
// database is written, not even by a transaction that is rolled back, so the rehearsal is
// left to the switch itself.
func (e *Engine) Prepare(ctx context.Context, to ownership.Owner, o SwitchOptions) (*SwitchPlan, error) {
	status, err := e.Status(ctx)
	if err != nil {
		return nil, err
	}
	p := &SwitchPlan{Schema: 1, Split: e.Plan.Split, Command: command(to), Giver: status.Source, Taker: status.Target, Epoch: status.Epoch + 1, Pending: status.Pending, Steps: []PlannedStep{}, Against: []string{}}
	if to == ownership.Source {
		p.Giver, p.Taker = p.Taker, p.Giver
	}
	if p.Owns = status.Owner == string(to) && status.Phase != string(state.Sealed); p.Owns {
		return p, nil
	}
	s := &ownership.Switch{To: to, Epoch: p.Epoch}
	for _, step := range ownership.Steps() {
		p.Steps = append(p.Steps, PlannedStep{step.Name, step.Does(s)})
	}
	if status.Lost != "" {
		p.Lost = max(1, p.Pending) // nobody can say how many went by unseen
		p.Against = append(p.Against, status.Lost)
	}
	against, err := e.against(ctx, status, to, o)
	p.Against = append(p.Against, against...)
	return p, err
}

// against lists what stands against a switch as far as reading tells.
func (e *Engine) against(ctx context.Context, status *Status, to ownership.Owner, o SwitchOptions) ([]string, error) {
	w := &Work{Engine: e}
	survey, err := e.Survey(ctx)
	if err != nil {
		return nil, err
	}
	w.Survey = survey
	w.sides(status.Move, 0)
	p, err := w.proxies(o.Token)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	objections, err := w.objections(ctx, to, p, false)
	if err != nil {
		return nil, err
	}
	list := []string{}
	for _, objection := range objections {
		var soft *staleError
		if o.Force == "" || !errors.As(objection, &soft) {
			list = append(list, text(objection))
		}
	}
	return list, nil
}

func text(err error) string {
	var known *program.Error
	if errors.As(err, &known) {
		return known.Error()
	}
	return err.Error()
}
