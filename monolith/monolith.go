// Package monolith is the shop before it is taken apart: eleven domains over one
// database. Here they are put together; what they do is in their own folders.
package monolith

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/admin"
	"github.com/stranglerfig/toolkit/monolith/cart"
	"github.com/stranglerfig/toolkit/monolith/catalog"
	"github.com/stranglerfig/toolkit/monolith/feed"
	"github.com/stranglerfig/toolkit/monolith/identity"
	"github.com/stranglerfig/toolkit/monolith/inventory"
	"github.com/stranglerfig/toolkit/monolith/notifications"
	"github.com/stranglerfig/toolkit/monolith/orders"
	"github.com/stranglerfig/toolkit/monolith/payments"
	"github.com/stranglerfig/toolkit/monolith/pricing"
	"github.com/stranglerfig/toolkit/monolith/recommendations"
	"github.com/stranglerfig/toolkit/monolith/reviews"
	"github.com/stranglerfig/toolkit/monolith/storefront"
)

// The secrets of a shop that nobody has given any: fit for development only.
const (
	DevWebhookSecret = "dev-webhook-secret"
	DevInternalToken = "dev-internal-token"
)

// Options tune a Shop. The zero value is fit for tests and development; elsewhere
// it needs secrets, a sink and a ledger.
type Options struct {
	Now            func() time.Time // the one clock; nil means time.Now
	Log            *slog.Logger     // nil discards
	WebhookSecret  string           // signs the payment provider's webhooks; empty means DevWebhookSecret
	InternalToken  string           // opens the read API for services; empty means DevInternalToken
	Sink           string           // file that notifications are delivered to; empty keeps them in the outbox
	Ledger         string           // file in which the payment provider remembers; empty keeps it in memory
	ReviewsURL     string           // address of the service that may own the reviews one day; empty: none
	PaymentWait    time.Duration    // how long a customer waits for the payment provider; 0 means its default
	PasswordMemory int              // KiB that the hash of a new password takes; 0 means identity.DefaultMemory
	Unpaid         time.Duration    // age at which an unpaid order is cancelled; 0 means its default
}

// Shop is the whole monolith. Its stores may be used directly, by the same rules
// as through HTTP.
type Shop struct {
	Identity        *identity.Store
	Catalog         *catalog.Store
	Inventory       *inventory.Store
	Reviews         *reviews.Store
	Recommendations *recommendations.Store
	Notifications   *notifications.Store
	Pricing         *pricing.Store
	Cart            *cart.Store
	Payments        *payments.Store
	Orders          *orders.Store
	Admin           *admin.Store
	Feed            *feed.Store

	db       *sqlite.DB
	opts     Options
	provider *payments.Fake
}

// New returns the shop on db, whose schema must be up to date and whose owner stays
// the caller. Who gets a Shop closes it before db.
func New(db *sqlite.DB, opts Options) (*Shop, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	opts.WebhookSecret = cmp.Or(opts.WebhookSecret, DevWebhookSecret)
	opts.InternalToken = cmp.Or(opts.InternalToken, DevInternalToken)
	provider, err := payments.OpenFake(payments.FakeOptions{Ledger: opts.Ledger, Log: opts.Log})
	if err != nil {
		return nil, program.Fail(program.Usage, "give the path of a file that this user may write", "%w", err)
	}
	s := &Shop{db: db, opts: opts, provider: provider}
	now, log := opts.Now, opts.Log
	s.Reviews, err = reviews.New(db, now, reviews.Options{Service: opts.ReviewsURL, Token: opts.InternalToken, Log: log})
	if err != nil {
		provider.Close()
		return nil, err
	}
	s.Pricing = pricing.New(db, now)
	s.Cart = cart.New(db, now, s.Pricing)
	s.Identity = identity.New(db, now, identity.Options{Carts: s.Cart, Reviews: s.Reviews, Memory: opts.PasswordMemory})
	s.Catalog = catalog.New(db, now)
	s.Inventory = inventory.New(db, now)
	s.Recommendations = recommendations.New(db, now, recommendations.Options{Log: log})
	s.Notifications = notifications.New(db, now, notifications.Options{Sink: opts.Sink, Log: log})
	s.Payments = payments.New(db, now, provider, payments.Options{Wait: opts.PaymentWait, Log: log})
	s.Orders = orders.New(db, now, s.Pricing, s.Payments, orders.Options{Unpaid: opts.Unpaid, Log: log})
	s.Admin = admin.New(db, now, s.Reviews)
	s.Feed = feed.New(db, s.Reviews)
	if err := s.Notifications.CheckSink(); err != nil {
		provider.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the connection to the payment provider. Run must have returned.
func (s *Shop) Close() error { return s.provider.Close() }

// Handler answers for the whole shop: pages, API, and the read API for services.
func (s *Shop) Handler() http.Handler {
	router := web.NewRouter(s.opts.Log, s.health)
	router.Group(func(r chi.Router) {
		feed.Routes(r, s.Feed, s.opts.InternalToken)
	})
	router.Group(func(r chi.Router) {
		r.Use(web.Bearer(s.opts.InternalToken))
		identity.Internal(r, s.Identity)
		reviews.Internal(r, s.Reviews)
	})
	router.Group(func(r chi.Router) {
		r.Use(web.SameOrigin(), s.Identity.Sessions)
		identity.Routes(r, s.Identity)
		catalog.Routes(r, s.Catalog, s.Recommendations)
		inventory.Routes(r, s.Inventory)
		reviews.Routes(r, s.Reviews)
		recommendations.Routes(r, s.Recommendations)
		cart.Routes(r, s.Cart)
		pricing.Routes(r, s.Pricing)
		orders.Routes(r, s.Orders)
		payments.Routes(r, s.Payments, s.opts.WebhookSecret)
		notifications.Routes(r, s.Notifications)
		admin.Routes(r, s.Admin)
		storefront.Routes(r, storefront.Stores{
			Identity: s.Identity, Catalog: s.Catalog, Inventory: s.Inventory, Reviews: s.Reviews,
			Recommendations: s.Recommendations, Cart: s.Cart, Orders: s.Orders, Payments: s.Payments,
			Notifications: s.Notifications, Admin: s.Admin,
		})
	})
	return headAsGet(router)
}

// Run does what no request waits for, until ctx ends: it delivers notifications,
// writes counted views, settles what the payment provider left open, cancels unpaid
// orders, clears out ended sessions and settles reviews that came back. All of it may be killed at any time and is
// taken up again at the next start.
func (s *Shop) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(web.WithLog(ctx, s.opts.Log))
	for name, run := range map[string]func(context.Context) error{
		"identity":        s.Identity.Run,
		"recommendations": s.Recommendations.Run,
		"notifications":   s.Notifications.Run,
		"payments":        s.Payments.Run,
		"orders":          s.Orders.Run,
		"reviews":         s.Reviews.Run,
		"provider":        func(ctx context.Context) error { return s.provider.Run(ctx, s.Payments.Settle) },
	} {
		group.Go(func() error {
			if err := run(ctx); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *Shop) health(ctx context.Context) error {
	var one int
	return s.db.GetContext(ctx, &one, `SELECT 1 FROM categories UNION ALL SELECT 1 LIMIT 1`)
}

// headAsGet routes HEAD like GET; the server leaves the body out.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			route := chi.NewRouteContext()
			route.RouteMethod = http.MethodGet
			r = r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, route))
		}
		next.ServeHTTP(w, r)
	})
}
