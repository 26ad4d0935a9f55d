package reviews

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/follow"
	"github.com/stranglerfig/toolkit/internal/peer"
)

const (
	askTimeout  = 2 * time.Second        // of a question that a client waits for
	tellTimeout = 5 * time.Second        // of telling a change
	onceMore    = 100 * time.Millisecond // pause before a question is asked a second time
	maxAnswer   = 4 << 20                // bytes of one answer
	changesRows = 200
)

var (
	// errGone is a 404: the thing does not exist, or not any more.
	errGone = errors.New("not found")
	// errAway reports that the monolith gave no answer that can be used.
	errAway = errors.New("the monolith does not answer")
)

// client asks the monolith, and tells it.
type client struct{ peer *peer.Client }

func newClient(monolith, token string) (*client, error) {
	base, err := peer.Address("monolith", monolith)
	if err != nil {
		return nil, err
	}
	return &client{peer.New(base, token, peer.Options{Connections: 32, MaxAnswer: maxAnswer})}, nil
}

func (c *client) changes(ctx context.Context, after int64) (follow.ChangesPage, error) {
	var page follow.ChangesPage
	err := c.get(ctx, "/internal/changes", url.Values{"after": {itoa(after)}, "limit": {strconv.Itoa(changesRows)}}, &page)
	return page, err
}

// user returns whose session a token is, or errGone.
func (c *client) user(ctx context.Context, token string) (User, error) {
	var u User
	err := c.again(ctx, func(ctx context.Context) error {
		return c.ask(ctx, http.MethodPost, "/internal/sessions", nil, map[string]string{"token": token}, &u)
	})
	return u, err
}

// names returns those of the users who are not gone.
func (c *client) names(ctx context.Context, ids []int64) ([]User, error) {
	text := make([]string, 0, len(ids))
	for _, id := range ids {
		text = append(text, itoa(id))
	}
	var page struct{ Items []User }
	err := c.get(ctx, "/internal/users", url.Values{"ids": {strings.Join(text, ",")}}, &page)
	return page.Items, err
}

// active reports whether a product is one that customers see.
func (c *client) active(ctx context.Context, productID int64) (bool, error) {
	var p struct{ Active bool }
	err := c.get(ctx, "/internal/products/"+itoa(productID), nil, &p)
	if errors.Is(err, errGone) {
		return false, nil
	}
	return p.Active, err
}

// purchased reports whether a user has bought a product.
func (c *client) purchased(ctx context.Context, userID, productID int64) (bool, error) {
	var answer struct{ Purchased bool }
	err := c.get(ctx, "/internal/orders/purchased", url.Values{"user": {itoa(userID)}, "product": {itoa(productID)}}, &answer)
	return answer.Purchased, err
}

// tell tells the monolith of a change. Telling it twice does no harm.
func (c *client) tell(ctx context.Context, change Change) error {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	return c.ask(ctx, http.MethodPost, "/internal/reviews/changes", nil, change, nil)
}

func (c *client) get(ctx context.Context, path string, q url.Values, v any) error {
	return c.again(ctx, func(ctx context.Context) error { return c.ask(ctx, http.MethodGet, path, q, nil, v) })
}

// again asks, and if there is no answer asks once more: a question may be asked twice.
// Both together take no longer than askTimeout.
func (c *client) again(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err := ask(ctx)
	if !errors.Is(err, errAway) {
		return err
	}
	select {
	case <-ctx.Done():
		return err
	case <-time.After(onceMore):
		return ask(ctx)
	}
}

// ask sends one request and decodes the answer into v. A 404 is errGone; no answer, or
// one that means nothing, is errAway.
func (c *client) ask(ctx context.Context, method, path string, q url.Values, body, v any) error {
	a, err := c.peer.Do(ctx, method, path, q, body)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errAway, err)
	case a.Status == http.StatusNotFound && a.IsJSON():
		return fmt.Errorf("%s: %w", a.Request, errGone)
	case a.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w: %s: it refused the token; set SHOP_INTERNAL_TOKEN to the monolith's", errAway, a.Request)
	case a.Status >= 300:
		return fmt.Errorf("%w: %s: status %s", errAway, a.Request, a.Reason)
	}
	if err := a.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
