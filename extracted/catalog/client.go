package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stranglerfig/toolkit/internal/peer"
)

const (
	answerTimeout = 10 * time.Second
	maxAnswer     = 16 << 20 // bytes of one answer of the read API
	productRows   = 100      // of one answer: even with the longest descriptions they stay below maxAnswer
	ratingRows    = 1000
)

// errGone is a 404: the thing does not exist, or not any more.
var errGone = errors.New("not found")

// client reads the monolith's read API for services.
type client struct{ peer *peer.Client }

// CheckAddress reports what is wrong with the address of a monolith, if anything.
func CheckAddress(monolith string) error {
	_, err := peer.Address("monolith", monolith)
	return err
}

func newClient(monolith, token string) (*client, error) {
	base, err := peer.Address("monolith", monolith)
	if err != nil {
		return nil, err
	}
	return &client{peer.New(base, token, peer.Options{Connections: fetchers, MaxAnswer: maxAnswer, Timeout: answerTimeout})}, nil
}

type change struct {
	ID       int64  `json:"id"`
	Action   string `json:"action"`
	Entity   string `json:"entity"`
	EntityID string `json:"entity_id"`
}

type changesPage struct {
	Items []change `json:"items"`
	Last  int64    `json:"last"`
}

func (c *client) changes(ctx context.Context, after int64, limit int) (changesPage, error) {
	var page changesPage
	err := c.get(ctx, "/internal/changes", url.Values{"after": {itoa(after)}, "limit": {strconv.Itoa(limit)}}, &page)
	return page, err
}

func (c *client) categories(ctx context.Context) ([]CategoryRow, error) {
	var page struct{ Items []CategoryRow }
	err := c.get(ctx, "/internal/catalog/categories", nil, &page)
	return page.Items, err
}

func (c *client) products(ctx context.Context, after int64) ([]ProductRow, error) {
	var page struct{ Items []ProductRow }
	q := url.Values{"after": {itoa(after)}, "limit": {strconv.Itoa(productRows)}}
	err := c.get(ctx, "/internal/catalog/products", q, &page)
	return page.Items, err
}

func (c *client) product(ctx context.Context, id int64) (ProductRow, error) {
	var p ProductRow
	err := c.get(ctx, "/internal/catalog/products/"+itoa(id), nil, &p)
	return p, err
}

func (c *client) ratings(ctx context.Context, after int64) ([]Rating, error) {
	var page struct{ Items []Rating }
	q := url.Values{"after": {itoa(after)}, "limit": {strconv.Itoa(ratingRows)}}
	err := c.get(ctx, "/internal/catalog/ratings", q, &page)
	return page.Items, err
}

// ordered returns the products of an order.
func (c *client) ordered(ctx context.Context, orderID int64) ([]int64, error) {
	var purchase struct {
		ProductIDs []int64 `json:"product_ids"`
	}
	err := c.get(ctx, "/internal/orders/"+itoa(orderID)+"/purchase", nil, &purchase)
	return purchase.ProductIDs, err
}

// reviewed returns the product of a review.
func (c *client) reviewed(ctx context.Context, reviewID int64) ([]int64, error) {
	var review struct {
		ProductID int64 `json:"product_id"`
	}
	err := c.get(ctx, "/internal/reviews/"+itoa(reviewID)+"/product", nil, &review)
	return []int64{review.ProductID}, err
}

// get decodes the answer into v. A 404 is errGone.
func (c *client) get(ctx context.Context, path string, q url.Values, v any) error {
	a, err := c.peer.Do(ctx, http.MethodGet, path, q, nil)
	switch {
	case err != nil:
		return err
	case a.Status == http.StatusNotFound && a.IsJSON():
		return fmt.Errorf("%s: %w", a.Request, errGone)
	case a.Status == http.StatusUnauthorized:
		return fmt.Errorf("%s: the monolith refused the token; set SHOP_INTERNAL_TOKEN to the monolith's", a.Request)
	case a.Status != http.StatusOK:
		return fmt.Errorf("%s: status %s", a.Request, a.Reason)
	}
	return a.Decode(v)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
