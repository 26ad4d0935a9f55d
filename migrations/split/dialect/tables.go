package dialect

import "context"

// A Lister is a Database that can name the application's tables, for whoever has to choose
// those of a plan.
type Lister interface {
	// Tables lists them by name, as a plan would call them.
	Tables(ctx context.Context) ([]string, error)
}
