package reviews

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/web"
)

// tellWait is how long who writes a review waits for the monolith to be told of it.
const tellWait = time.Second

// Options tune a Service. The zero value is fit for production.
type Options struct {
	Token   string        // the internal token: the monolith's, and what the service asks of it
	Refresh time.Duration // between two looks at the monolith; 0 means 1 s
	Log     *slog.Logger  // nil discards
}

// A Service answers for the reviews: out of its Store, with what the monolith knows of
// users, products and purchases.
type Service struct {
	store  *Store
	client *client
	feed   *feed
	teller *teller
	opts   Options
	state  *follow.State
}

// NewService returns the service on store, beside the monolith at an address like
// http://host:port. The caller runs it.
func NewService(store *Store, monolith string, opts Options) (*Service, error) {
	c, err := newClient(monolith, opts.Token)
	if err != nil {
		return nil, err
	}
	opts.Refresh = cmp.Or(opts.Refresh, time.Second)
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	state := follow.New("reviews", store.now)
	return &Service{
		store: store, client: c, opts: opts, state: state,
		feed:   &feed{store: store, client: c, state: state, log: opts.Log, turn: make(chan struct{}, 1)},
		teller: &teller{store: store, client: c, log: opts.Log, turn: make(chan struct{}, 1)},
	}, nil
}

// Run follows the monolith and tells it what changed, until ctx ends; then it returns
// nil. What goes wrong is tried again.
func (s *Service) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return repeat(ctx, s.opts.Refresh, s.feed.poll) })
	group.Go(func() error { return repeat(ctx, s.opts.Refresh, s.teller.flush) })
	return group.Wait()
}

// maxBackoff is the longest pause after what went wrong.
const maxBackoff = 5 * time.Second

// repeat calls do until ctx ends, after longer and longer pauses while it fails. What
// it fails with do has logged.
func repeat(ctx context.Context, every time.Duration, do func(context.Context) error) error {
	for pause := every; ; {
		if err := do(ctx); err == nil {
			pause = every
		} else {
			pause = min(max(2*pause, 100*time.Millisecond), max(maxBackoff, every))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// Handler serves the endpoints of reviews, what the monolith asks, and how the service is.
func (s *Service) Handler() http.Handler {
	r := s.state.NewRouter(s.opts.Log)
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) { // in the words of the monolith
		web.Allow(w, r)
		web.Fail(w, r, 0, web.Problemf(http.StatusMethodNotAllowed, "method_not_allowed", "this cannot be done at %s", r.URL.Path))
	})
	r.Group(func(r chi.Router) {
		r.Use(web.SameOrigin())
		Routes(r, s)
	})
	r.Group(func(r chi.Router) {
		r.Use(web.Bearer(s.opts.Token))
		Internal(r, s)
	})
	return r
}

// List returns a page of an active product's reviews, newest first, or ErrNoProduct.
func (s *Service) List(ctx context.Context, productID int64, p web.Paging) (Page, error) {
	list, err := s.store.List(ctx, productID, p)
	if err != nil {
		return Page{}, err
	}
	items, err := s.shown(ctx, productID, list.Items)
	return Page{Page: web.NewPage(p, items, list.RatingCount), RatingAvg: list.RatingAvg, RatingCount: list.RatingCount}, err
}

// Review returns a review of an active product, or ErrNoReview.
func (s *Service) Review(ctx context.Context, productID, id int64) (Review, error) {
	e, err := s.store.Review(ctx, id)
	if err != nil {
		return Review{}, err
	}
	items, err := s.shown(ctx, productID, []Entry{e})
	switch {
	case errors.Is(err, ErrNoProduct) || err == nil && (e.ProductID != productID || len(items) == 0):
		return Review{}, ErrNoReview
	case err != nil:
		return Review{}, err
	}
	return items[0], nil
}

// shown gives entries the names of their authors, and asks at the same time whether
// the product is one that customers see. Entries of users who are gone are left out.
func (s *Service) shown(ctx context.Context, productID int64, entries []Entry) ([]Review, error) {
	var active bool
	names := map[int64]string{}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		active, err = s.active(ctx, productID)
		return err
	})
	group.Go(func() error {
		users, err := s.names(ctx, entries)
		for _, u := range users {
			names[u.ID] = u.Name
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if !active {
		return nil, ErrNoProduct
	}
	items := make([]Review, 0, len(entries))
	for _, e := range entries {
		if name, ok := names[e.UserID]; ok {
			e.Author = name
			items = append(items, e.Review)
		}
	}
	return items, nil
}

// active asks the monolith for a product, and if that does not answer, what it said last.
func (s *Service) active(ctx context.Context, productID int64) (bool, error) {
	active, err := s.client.active(ctx, productID)
	if err == nil {
		return active, s.store.Remember(ctx, productID, active)
	}
	was, known, recallErr := s.store.Active(ctx, productID)
	if recallErr != nil || !known {
		return false, errors.Join(ErrAway, err, recallErr)
	}
	return was, nil
}

// names asks the monolith who wrote entries, and if that does not answer, what it said
// last.
func (s *Service) names(ctx context.Context, entries []Entry) ([]User, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	ids := make([]int64, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, e.UserID)
	}
	users, err := s.client.names(ctx, ids)
	if err == nil {
		return users, s.store.RememberNames(ctx, users)
	}
	was, recallErr := s.store.Names(ctx, ids)
	if recallErr != nil || len(was) == 0 {
		return nil, errors.Join(ErrAway, err, recallErr)
	}
	return was, nil
}

// Create adds the review of a user who bought the product, and gives the monolith a
// moment to take over what the product is rated now. It fails with ErrNoProduct,
// ErrReviewed, ErrNotBuyer, ErrNotOwner, or ErrAway if the monolith does not answer.
func (s *Service) Create(ctx context.Context, productID int64, author User, d Draft) (Review, error) {
	if err := d.clean(); err != nil {
		return Review{}, err
	}
	var active, buyer bool
	group, asking := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		active, err = s.client.active(asking, productID)
		return err
	})
	group.Go(func() (err error) {
		buyer, err = s.client.purchased(asking, author.ID, productID)
		return err
	})
	if err := group.Wait(); err != nil {
		return Review{}, errors.Join(ErrAway, err)
	}
	if !active {
		return Review{}, ErrNoProduct
	}
	review, seq, err := s.store.Create(ctx, productID, author, buyer, d)
	if err != nil {
		return Review{}, err
	}
	waiting, cancel := context.WithTimeout(ctx, tellWait)
	defer cancel()
	if err := s.teller.flush(waiting); err != nil { // it is told later
		web.Log(ctx).Info("the monolith has not been told of a review yet", "change", seq, "error", err)
	}
	return review, nil
}

// SignedIn returns the user whose session a token is, or errSignIn.
func (s *Service) SignedIn(ctx context.Context, token string) (User, error) {
	if token == "" {
		return User{}, errSignIn
	}
	u, err := s.client.user(ctx, token)
	switch {
	case errors.Is(err, errGone):
		return User{}, errSignIn
	case err != nil:
		return User{}, errors.Join(ErrAway, err)
	}
	return u, nil
}

// Settle reads what the monolith's feed holds now, and tells the monolith what that
// changed.
func (s *Service) Settle(ctx context.Context) error {
	if err := s.feed.poll(ctx); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	if err := s.teller.flush(ctx); err != nil {
		return fmt.Errorf("settle: %w", err)
	}
	return nil
}
