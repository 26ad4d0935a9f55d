package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
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
type client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// CheckAddress reports what is wrong with the address of a monolith, if anything.
func CheckAddress(monolith string) error {
	_, err := parseAddress(monolith)
	return err
}

func parseAddress(monolith string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimSuffix(monolith, "/"))
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("address %q of the monolith: want http://host:port", monolith)
	}
	return base, nil
}

func newClient(monolith, token string) (*client, error) {
	base, err := parseAddress(monolith)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: fetchers, IdleConnTimeout: time.Minute}
	return &client{base: base, token: token, http: &http.Client{Transport: transport, Timeout: answerTimeout}}, nil
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
	target := c.base.JoinPath(path)
	target.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return err // names method, address and cause
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("GET %s: %w", target, err)
	case res.StatusCode == http.StatusNotFound && strings.HasPrefix(res.Header.Get("Content-Type"), "application/json"):
		return fmt.Errorf("GET %s: %w", target, errGone)
	case res.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("GET %s: the monolith refused the token; set SHOP_INTERNAL_TOKEN to the monolith's", target)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("GET %s: status %s", target, res.Status)
	case len(body) > maxAnswer:
		return fmt.Errorf("GET %s: the answer is larger than %d bytes", target, maxAnswer)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("GET %s: %w", target, err)
	}
	return nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
