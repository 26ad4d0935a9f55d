package split

import (
	"context"
	"errors"
	"fmt"

	"github.com/stranglerfig/toolkit/internal/proxyclient"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
	"github.com/stranglerfig/toolkit/migrations/split/transfer"
)

// parties are the databases and proxies of w as a switch of owners sees them.
func (w *Work) parties(p *proxyclient.Proxies) ownership.Parties {
	return ownership.Parties{Source: side{w.From, p}, Target: side{w.To, p}, Proxies: proxies{p}}
}

// A side is one database in a switch. What leads is open, what follows is sealed.
type side struct {
	transfer.Side
	proxies *proxyclient.Proxies
}

// Record reads what this database says about who owns the tables.
func (s side) Record(ctx context.Context) (ownership.Record, error) {
	state, err := s.State(ctx, s.Move.Split)
	return ownership.Record{Owner: ownership.Owner(state.Record.Owner), Epoch: state.Record.Epoch}, err
}

// Fence locks the tables. The transaction outlives ctx, which bounds only the waiting.
func (s side) Fence(ctx context.Context) (ownership.Fence, error) {
	long, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	tx, err := s.Side.Fence(long, s.Move)
	if !stop() && err == nil { // ctx ended in the very moment
		err = errors.Join(context.Cause(ctx), tx.Rollback())
	}
	if err != nil {
		cancel()
		return nil, claimed(fmt.Errorf("lock the tables of %s: %w", s.Info().Name, err))
	}
	return &fence{tx, s.proxies, cancel}, nil
}

// Own lets this side lead.
func (s side) Own(ctx context.Context, r ownership.Record) error {
	return claimed(role(ctx, s.Side, true, dialect.Record{Owner: string(r.Owner), Epoch: r.Epoch}))
}

// claimed lets the error of a lost claim match that of package ownership, too.
func claimed(err error) error {
	if errors.Is(err, dialect.ErrClaimLost) {
		return fmt.Errorf("%w: %w", ownership.ErrClaimLost, err)
	}
	return err
}

// A fence is the transaction that keeps others from writing the side that gives.
type fence struct {
	tx      dialect.Tx
	proxies *proxyclient.Proxies
	cancel  context.CancelFunc
}

// Pending counts what is left in the log.
func (f *fence) Pending(ctx context.Context) (int64, error) { return f.tx.Pending(ctx) }

// Seal lets the side follow, unless a hold has ended meanwhile: its clients would find
// both sides closed for a moment.
func (f *fence) Seal(ctx context.Context, r ownership.Record) error {
	if err := f.proxies.Err(); err != nil {
		return fmt.Errorf("a hold was lost: %w", err)
	}
	defer f.cancel()
	if err := f.tx.Follow(ctx, dialect.Record{Owner: string(r.Owner), Epoch: r.Epoch}); err != nil {
		return claimed(err)
	}
	return claimed(f.tx.Commit())
}

// Release ends the fence.
func (f *fence) Release() error {
	defer f.cancel()
	return f.tx.Rollback()
}

// A flow brings over what is left while the side that gives is fenced.
type flow struct{ way *transfer.Way }

// Drain applies the rest of the log.
func (l flow) Drain(ctx context.Context, f ownership.Fence) error {
	tx := f.(*fence).tx
	if _, err := l.way.ApplyFenced(ctx, tx); err != nil {
		return claimed(err)
	}
	left, err := tx.Pending(ctx)
	if err == nil && left > 0 {
		err = fmt.Errorf("%w: %d entries are left", ownership.ErrPending, left)
	}
	return claimed(err)
}

// Verify compares the rows that have changed since they were compared.
func (l flow) Verify(ctx context.Context, _ ownership.Fence) error {
	err := l.way.VerifyFenced(ctx)
	if errors.Is(err, transfer.ErrUnsettled) {
		return fmt.Errorf("%w: %w", ownership.ErrPending, err)
	}
	return claimed(err)
}

// Sequences lets no key be handed out twice.
func (l flow) Sequences(ctx context.Context, _ ownership.Fence) error {
	return claimed(l.way.Sequences(ctx))
}

// proxies are the proxies of a split in a switch.
type proxies struct{ *proxyclient.Proxies }

// Drain waits for requests as long as ctx lasts.
func (p proxies) Drain(ctx context.Context) error { return p.Proxies.Drain(ctx, timeLeft(ctx)) }

// Follow lets the routes lead to the owner. That a proxy knows of a later switch means
// that another coordinator has made one.
func (p proxies) Follow(ctx context.Context, r ownership.Record) error {
	_, err := p.Proxies.Follow(ctx, string(r.Owner), r.Epoch)
	return err
}
