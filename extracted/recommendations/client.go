package recommendations

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

	"github.com/stranglerfig/toolkit/internal/instant"
)

const (
	answerTimeout = 10 * time.Second
	maxAnswer     = 16 << 20 // bytes of one answer of the read API
	pageRows      = 1000
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
	target := c.base.JoinPath(path)
	target.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err // names method, address and cause
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("GET %s: %w", target, err)
	case res.StatusCode == http.StatusNotFound && strings.HasPrefix(res.Header.Get("Content-Type"), "application/json"):
		return nil, fmt.Errorf("GET %s: %w", target, errGone)
	case res.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("GET %s: the monolith refused the token; set SHOP_INTERNAL_TOKEN to the monolith's", target)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("GET %s: status %s", target, res.Status)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("GET %s: the answer is larger than %d bytes", target, maxAnswer)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return nil, fmt.Errorf("GET %s: %w", target, err)
	}
	return res.Header, nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
