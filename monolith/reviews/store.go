package reviews

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/owner"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// Options tune a Store. The zero value keeps reviews here for ever.
type Options struct {
	Service string        // address of the service that may own the reviews one day; empty: none
	Token   string        // the internal token
	Wait    time.Duration // how long a read waits for the service; 0 means 1 s
	Every   time.Duration // pause between two looks of Run; 0 means 1 s
	Log     *slog.Logger  // nil discards
}

// Store keeps reviews, or knows who does: it reads the owner at each use, so a
// cut-over takes effect with its transaction. It is safe for concurrent use.
type Store struct {
	db     *sqlite.DB
	now    func() time.Time
	local  local
	remote *remote
	every  time.Duration
	log    *slog.Logger
}

// switchWait bounds how long a write waits while a switch is between its two owners.
const switchWait = 3 * time.Second

// New returns a Store on db, whose owner stays the caller. It fails if the address of
// the service is none.
func New(db *sqlite.DB, now func() time.Time, opts Options) (*Store, error) {
	log := cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	remote, err := newRemote(opts.Service, opts.Token, cmp.Or(opts.Wait, time.Second))
	if err != nil {
		return nil, err
	}
	return &Store{
		db: db, now: now, local: local{db, now}, remote: remote,
		every: cmp.Or(opts.Every, time.Second), log: log,
	}, nil
}

// moved reports whether the service owns the reviews.
func (s *Store) moved(ctx context.Context) (bool, error) {
	o, err := owner.SQLite(ctx, s.db, table)
	return o.Target(), err
}

// read asks who owns the reviews: here while they are the shop's own, else at the
// service, and in the copy that the split keeps if the service cannot answer.
func read[T any](ctx context.Context, s *Store, here, there func() (T, error)) (T, error) {
	moved, err := s.moved(ctx)
	if err != nil || !moved {
		if err != nil {
			var none T
			return none, err
		}
		return here()
	}
	v, err := there()
	if !errors.Is(err, errAway) {
		return v, err
	}
	s.log.Warn("the reviews service does not answer", "error", err)
	if kept, keptErr := s.hasCopy(ctx); keptErr != nil || !kept {
		return v, errors.Join(ErrAway, err, keptErr)
	}
	return here()
}

// hasCopy reports whether the table is still there, as it is until the split is completed.
func (s *Store) hasCopy(ctx context.Context) (bool, error) {
	var kept bool
	err := s.db.GetContext(ctx, &kept, `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?)`, table)
	return kept, err
}

// List returns a page of an active product's reviews, newest first, or ErrNoProduct.
func (s *Store) List(ctx context.Context, productID int64, p web.Paging) (Page, error) {
	var active bool
	if err := s.db.GetContext(ctx, &active, `SELECT EXISTS (SELECT 1 FROM products WHERE id = ? AND active = 1)`, productID); err != nil {
		return Page{}, fmt.Errorf("look for product %d: %w", productID, err)
	}
	if !active {
		return Page{}, ErrNoProduct
	}
	return read(ctx, s,
		func() (Page, error) { return s.local.list(ctx, productID, p) },
		func() (Page, error) {
			rows, err := s.remote.list(ctx, productID, p)
			if err != nil {
				return Page{}, err
			}
			items, err := s.named(ctx, rows.Items)
			return Page{Page: web.NewPage(p, items, rows.RatingCount), RatingAvg: rows.RatingAvg, RatingCount: rows.RatingCount}, err
		})
}

// Review returns a review of an active product, or ErrNoReview.
func (s *Store) Review(ctx context.Context, productID, id int64) (Review, error) {
	return read(ctx, s,
		func() (Review, error) { return s.local.review(ctx, productID, id) },
		func() (Review, error) {
			e, err := s.remote.review(ctx, id)
			if err != nil {
				return Review{}, err
			}
			var active bool
			if err := s.db.GetContext(ctx, &active, `SELECT EXISTS (SELECT 1 FROM products WHERE id = ? AND active = 1)`, productID); err != nil {
				return Review{}, fmt.Errorf("look for product %d: %w", productID, err)
			}
			items, err := s.named(ctx, []entry{e})
			if err == nil && (!active || e.ProductID != productID || len(items) == 0) {
				err = ErrNoReview
			}
			if err != nil {
				return Review{}, err
			}
			return items[0], nil
		})
}

// named gives the rows of the service the names of their authors, which are the
// shop's to know. Rows of users that are gone are left out.
func (s *Store) named(ctx context.Context, rows []entry) ([]Review, error) {
	items := make([]Review, 0, len(rows))
	if len(rows) == 0 {
		return items, nil
	}
	ids := make([]int64, 0, len(rows))
	for _, r := range rows {
		ids = append(ids, r.UserID)
	}
	query, args, err := sqlx.In(`SELECT id, name FROM users WHERE id IN (?)`, ids)
	if err != nil {
		return nil, fmt.Errorf("name the authors: %w", err)
	}
	var users []struct {
		ID   int64  `db:"id"`
		Name string `db:"name"`
	}
	if err := s.db.SelectContext(ctx, &users, query, args...); err != nil {
		return nil, fmt.Errorf("name the authors: %w", err)
	}
	names := map[int64]string{}
	for _, u := range users {
		names[u.ID] = u.Name
	}
	for _, r := range rows {
		if name, ok := names[r.UserID]; ok {
			r.Author = name
			items = append(items, r.Review)
		}
	}
	return items, nil
}

// MayReview reports whether a user may write a review of an active product: nil,
// or one of ErrNoProduct, ErrReviewed and ErrNotBuyer.
func (s *Store) MayReview(ctx context.Context, productID, userID int64) error {
	buyer, err := bought(ctx, s.db, productID, userID)
	if err != nil {
		return err
	}
	reviewed, err := read(ctx, s,
		func() (bool, error) { return s.local.reviewed(ctx, s.db, productID, userID) },
		func() (bool, error) { return s.remote.reviewed(ctx, productID, userID) })
	return refusal(reviewed, buyer, err)
}

func refusal(reviewed, buyer bool, err error) error {
	switch {
	case err != nil:
		return err
	case reviewed:
		return ErrReviewed
	case !buyer:
		return ErrNotBuyer
	}
	return nil
}

// Create adds the review of a user who bought the product. It fails like MayReview,
// and with ErrAway if the reviews are a service's that does not answer.
func (s *Store) Create(ctx context.Context, productID int64, author identity.User, d Draft) (Review, error) {
	if err := d.clean(); err != nil {
		return Review{}, err
	}
	for deadline := time.Now().Add(switchWait); ; {
		review, err := s.local.create(ctx, productID, author, d)
		if errors.Is(err, errMoved) {
			review, err = s.remote.create(ctx, productID, author, d)
		}
		if errors.Is(err, errAway) || errors.Is(err, errNotOwner) && time.Now().After(deadline) {
			return Review{}, errors.Join(ErrAway, err)
		}
		if !errors.Is(err, errNotOwner) {
			return review, err
		}
		// A switch is between its two steps: neither side may write, for a moment.
		select {
		case <-ctx.Done():
			return Review{}, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Forget deletes the reviews of a user whose account goes in tx, if they are the
// shop's own. Else the service does, as soon as it reads of it; kept says whether the
// shop has copies until then, which hold on to the user's row.
func (s *Store) Forget(ctx context.Context, tx *sqlx.Tx, userID int64) (kept bool, err error) {
	switch err := stillOurs(ctx, tx); {
	case err == nil:
		return false, s.local.forget(ctx, tx, userID)
	case !errors.Is(err, errMoved):
		return false, err
	}
	has, err := s.hasCopy(ctx)
	if err != nil || !has {
		return false, err
	}
	err = tx.GetContext(ctx, &kept, `SELECT EXISTS (SELECT 1 FROM reviews WHERE user_id = ?)`, userID)
	return kept, err
}

// Forgotten waits, a little while at most, until the service has read which accounts
// are gone. Nothing depends on it but that the next page shows it.
func (s *Store) Forgotten(ctx context.Context) {
	moved, err := s.moved(ctx)
	if err == nil && moved {
		err = s.remote.settle(ctx)
	}
	if err != nil {
		s.log.Warn("the reviews service has not read yet that an account is gone", "error", err)
	}
}

// Product returns which product a review is about, or ErrNoReview.
func (s *Store) Product(ctx context.Context, id int64) (int64, error) {
	product, err := read(ctx, s,
		func() (int64, error) { return s.local.product(ctx, id) },
		func() (int64, error) {
			e, err := s.remote.review(ctx, id)
			return e.ProductID, err
		})
	if errors.Is(err, ErrAway) { // the feed says of each rated product that it has changed
		return 0, ErrNoReview
	}
	return product, err
}

// Average returns the mean of all reviews, as tx sees it while they are the shop's own.
// It is 0 while nobody can tell.
func (s *Store) Average(ctx context.Context, tx *sqlx.Tx) (float64, error) {
	mean, err := read(ctx, s,
		func() (float64, error) { return s.local.average(ctx, tx) },
		func() (float64, error) { return s.remote.average(ctx) })
	if errors.Is(err, ErrAway) {
		return 0, nil
	}
	return mean, err
}
