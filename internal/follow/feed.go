package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// What a copy remembers beside the positions of its own parts: the last change that it
// has, and 1 once the first snapshot is complete.
const (
	Changes  = "changes"
	Snapshot = "snapshot"
)

const (
	changesRows = 200
	maxBackoff  = 5 * time.Second
)

// A Copy is what a service keeps of the monolith's data. Each of its methods writes data
// together with the position that is reached with it, so a Feed may be stopped or killed
// at any point and goes on where it was; writing the same again changes nothing.
type Copy interface {
	// Reached returns how far each part was read, by its name.
	Reached(ctx context.Context) (map[string]int64, error)
	// Restart forgets all of it; the changes are to be followed behind the given one.
	Restart(ctx context.Context, change int64) error
	// CopyPages reads what the first snapshot still lacks.
	CopyPages(ctx context.Context) error
	// ReadAgain fetches what the changes concern: only its newest state counts, so the
	// order of changes does not. With it Changes has reached the last of them.
	ReadAgain(ctx context.Context, changes []Change) error
	// ReadRest looks at what the feed does not name.
	ReadRest(ctx context.Context) error
	// Complete remembers that the first snapshot is there.
	Complete(ctx context.Context) error
}

// Options tune a Feed. The zero value is fit for production.
type Options struct {
	Token   string        // the monolith's internal token
	Refresh time.Duration // between two looks at the monolith; 0 means 1 s
	Log     *slog.Logger  // nil discards
}

// A Feed keeps a Copy equal to the monolith: once a snapshot by pages, then what changed.
type Feed struct {
	*State
	source *Source
	copy   Copy
	opts   Options
}

// NewFeed returns the feed of a copy whose state is the given one.
func NewFeed(state *State, source *Source, to Copy, opts Options) *Feed {
	opts.Refresh = cmp.Or(opts.Refresh, time.Second)
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	return &Feed{State: state, source: source, copy: to, opts: opts}
}

// Run follows the monolith until ctx ends; then it returns nil. What goes wrong is
// shown by /healthz, logged once, and tried again: after longer and longer pauses,
// at most five seconds.
func (f *Feed) Run(ctx context.Context) error {
	for pause := f.opts.Refresh; ; {
		err := f.Poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			pause = f.opts.Refresh
		} else {
			pause = min(max(2*pause, 100*time.Millisecond), max(maxBackoff, f.opts.Refresh))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// Poll looks at the monolith once and writes all that is new. Run calls it; there
// must not be two at a time.
func (f *Feed) Poll(ctx context.Context) error {
	err := f.poll(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.Polled(err, f.opts.Log)
	return err
}

func (f *Feed) poll(ctx context.Context) error {
	reached, err := f.copy.Reached(ctx)
	if err != nil {
		return err
	}
	if _, begun := reached[Changes]; !begun {
		if reached, err = f.restart(ctx); err != nil {
			return err
		}
	}
	// After a restart the service answers at once, with or without the monolith.
	complete := reached[Snapshot] == 1
	f.SetReady(complete)
	if !complete {
		if err := f.copy.CopyPages(ctx); err != nil {
			return fmt.Errorf("snapshot: %w", err)
		}
	}
	if err := f.followChanges(ctx, reached[Changes]); err != nil {
		return fmt.Errorf("changes: %w", err)
	}
	if err := f.copy.ReadRest(ctx); err != nil {
		return err
	}
	if complete {
		return nil
	}
	if err := f.copy.Complete(ctx); err != nil {
		return err
	}
	f.SetReady(true)
	f.opts.Log.Info("snapshot complete")
	return nil
}

// restart begins a snapshot: the changes from now on are remembered first, so that
// what changes while pages are read is read again afterwards.
func (f *Feed) restart(ctx context.Context) (map[string]int64, error) {
	f.SetReady(false)
	page, err := f.source.Changes(ctx, 0, 1)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if err := f.copy.Restart(ctx, page.Last); err != nil {
		return nil, err
	}
	return f.copy.Reached(ctx)
}

// followChanges reads the feed behind the change after.
func (f *Feed) followChanges(ctx context.Context, after int64) error {
	for {
		page, err := f.source.Changes(ctx, after, changesRows)
		if err != nil {
			return err
		}
		f.SetBehind(page.Last - after)
		if page.Last < after {
			f.opts.Log.Warn("the monolith's feed went back: another database; copying it anew", "read", after, "last", page.Last)
			if _, err := f.restart(ctx); err != nil {
				return err
			}
			return errors.New("the monolith has another database; its data is being copied anew")
		}
		if len(page.Items) == 0 {
			return nil
		}
		if err := f.copy.ReadAgain(ctx, page.Items); err != nil {
			return err
		}
		after = page.Items[len(page.Items)-1].ID
		f.SetBehind(page.Last - after)
		if after >= page.Last {
			return nil
		}
	}
}
