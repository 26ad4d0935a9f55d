package steer

import (
	"context"

	"github.com/stranglerfig/toolkit/strangler-proxy/audit"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// Return moves a route or a group back to a stage that the caller has chosen, and as
// after a Rollback automation leaves it alone from then on. It is made also when the
// log cannot be written: Result.NotNoted then says that nothing is frozen.
func (f *File) Return(ctx context.Context, to Move, o Order) (*Result, error) {
	return f.edit(ctx, o, true, func(d *config.Draft, r *Result) ([]audit.Entry, error) {
		return f.move(d, r, []Move{to}, o, audit.Rollback)
	})
}
