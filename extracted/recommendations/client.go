package recommendations

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/peer"
)

const (
	answerTimeout = 10 * time.Second
	maxAnswer     = 16 << 20 // bytes of one answer of the read API
	pageRows      = 1000
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
	Entity   string `json:"entity"`
	EntityID string `json:"entity_id"`
}

type changesPage struct {
	Items []change `json:"items"`
	Last  int64    `json:"last"`
}

func (c *client) changes(ctx context.Context, after int64, limit int) (changesPage, error) {
	var page changesPage
	_, err := c.get(ctx, "/internal/changes", url.Values{"after": {itoa(after)}, "limit": {strconv.Itoa(limit)}}, &page)
	return page, err
}

func (c *client) products(ctx context.Context, after int64) ([]Product, error) {
	var page struct{ Items []Product }
	_, err := c.get(ctx, "/internal/products", url.Values{"after": {itoa(after)}, "limit": {strconv.Itoa(pageRows)}}, &page)
	return page.Items, err
}

func (c *client) product(ctx context.Context, id int64) (Product, error) {
	var p Product
	_, err := c.get(ctx, "/internal/products/"+itoa(id), nil, &p)
	return p, err
}

func (c *client) purchases(ctx context.Context, after int64) ([]Purchase, error) {
	var page struct{ Items []Purchase }
	_, err := c.get(ctx, "/internal/purchases", url.Values{"after": {itoa(after)}, "limit": {strconv.Itoa(pageRows)}}, &page)
	for i := range page.Items {
		page.Items[i].Counts = true // the list holds no others
	}
	return page.Items, err
}

func (c *client) purchase(ctx context.Context, orderID int64) (Purchase, error) {
	var p Purchase
	_, err := c.get(ctx, "/internal/orders/"+itoa(orderID)+"/purchase", nil, &p)
	return p, err
}

type viewsRow struct {
	Views
	UpdatedAt instant.Instant `json:"updated_at"`
}

// views returns the rows after the cursor, and the monolith's clock.
func (c *client) views(ctx context.Context, cursor Position) ([]viewsRow, time.Time, error) {
	var page struct{ Items []viewsRow }
	q := url.Values{
		"since": {itoa(cursor.At)}, "after_product": {itoa(cursor.Product)}, "after_day": {cursor.Day},
		"limit": {strconv.Itoa(pageRows)},
	}
	header, err := c.get(ctx, "/internal/product-views", q, &page)
	if err != nil {
		return nil, time.Time{}, err
	}
	clock, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("GET /internal/product-views: header Date: %w", err)
	}
	return page.Items, clock, nil
}

// get decodes the answer into v. A 404 is errGone.
func (c *client) get(ctx context.Context, path string, q url.Values, v any) (http.Header, error) {
	a, err := c.peer.Do(ctx, http.MethodGet, path, q, nil)
	switch {
	case err != nil:
		return nil, err
	case a.Status == http.StatusNotFound && a.IsJSON():
		return nil, fmt.Errorf("%s: %w", a.Request, errGone)
	case a.Status == http.StatusUnauthorized:
		return nil, fmt.Errorf("%s: the monolith refused the token; set SHOP_INTERNAL_TOKEN to the monolith's", a.Request)
	case a.Status != http.StatusOK:
		return nil, fmt.Errorf("%s: status %s", a.Request, a.Reason)
	}
	return a.Header, a.Decode(v)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
