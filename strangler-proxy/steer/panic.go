package steer

import (
	"context"
	"strings"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// PanicKey is the key of the file's top level that sends every route to the monolith,
// except those at stage done. Its text is the reason.
const PanicKey = "panic"

// Panic sends every route to the monolith, except those at stage done, by one line at
// the top level of the file. The stages stay, so Calm undoes it. It needs a reason. A
// file that panics already stays as it is.
func (f *File) Panic(ctx context.Context, o Order) (*Result, error) {
	if strings.TrimSpace(o.Reason) == "" {
		return nil, program.Fail(program.Usage, "say why in a few words", "a panic needs a reason")
	}
	return f.edit(ctx, o, true, func(d *config.Draft, _ *Result) ([]audit.Entry, error) {
		if d.Config.Panic != "" {
			return nil, nil
		}
		if d.Has(PanicKey) { // panic: false
			if err := d.Remove(PanicKey); err != nil {
				return nil, err
			}
		}
		return []audit.Entry{{Action: audit.Panicked}}, d.Insert(PanicKey, o.Reason)
	})
}

// Calm ends a panic: every route goes back to its stage.
func (f *File) Calm(ctx context.Context, o Order) (*Result, error) {
	return f.edit(ctx, o, false, func(d *config.Draft, _ *Result) ([]audit.Entry, error) {
		if d.Config.Panic == "" {
			return nil, nil
		}
		return []audit.Entry{{Action: audit.Calmed}}, d.Remove(PanicKey)
	})
}
