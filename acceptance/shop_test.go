package acceptance_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Cards as the provider knows them.
const (
	goodCard         = "4242424242424242"
	declinedCard     = "4000000000000002"
	poorCard         = "4000000000009995"
	lateAcceptCard   = "4000000000000259"
	lateDeclineCard  = "4000000000000267"
	silentCard       = "4000000000000119"
	password         = "correct horse battery"
	providerPatience = 15 * time.Second // for what the shop or its provider does by and by
)

// unique returns a word that no other test and no other run uses. It has no vowels, so
// that no word that a test searches for happens to stand in it.
func unique(prefix string) string {
	return prefix + noVowels.Replace(strings.ToLower(rand.Text())[:12])
}

var noVowels = strings.NewReplacer("a", "0", "e", "1", "i", "8", "o", "9", "u", "0")

// A customer is a client that is signed in to an account of its own.
type customer struct {
	*client
	id    int64
	email string
}

// signUp registers a customer of its own for the test.
func signUp(t *testing.T) *customer {
	t.Helper()
	c := guest()
	email := unique("buyer-") + "@example.com"
	user := c.post(t, "/api/register", object{"email": email, "password": password, "name": "Buyer"}).want(http.StatusCreated).object()
	return &customer{c, user.int(t, "id"), email}
}

// newAddress adds an address in the United States, or where fields say.
func (c *customer) newAddress(t *testing.T, fields ...object) int64 {
	t.Helper()
	address := object{
		"name": "Buyer", "street": "1 Main St", "city": "Springfield",
		"postal_code": "12345", "region": "CA", "country": "US",
	}
	for _, f := range fields {
		for k, v := range f {
			address[k] = v
		}
	}
	return c.post(t, "/api/me/addresses", address).want(http.StatusCreated).object().int(t, "id")
}

var signInAdmin = sync.OnceValues(func() (*client, error) {
	c := guest()
	a, err := c.send(context.Background(), "sign-in", http.MethodPost, "/api/login",
		object{"email": adminEmail, "password": adminPassword})
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK || len(a.cookies) == 0 {
		return nil, fmt.Errorf("sign in as %s: status %d: %s (check ADMIN_EMAIL and ADMIN_PASSWORD)", adminEmail, a.status, a.excerpt())
	}
	return c, nil
})

// admin returns the administrator's client, which all tests share.
func admin(t *testing.T) *client {
	t.Helper()
	c, err := signInAdmin()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var firstCategory = sync.OnceValues(func() (object, error) {
	a, err := guest().send(context.Background(), "categories", http.MethodGet, "/api/categories", nil)
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []object `json:"items"`
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", a.call, err)
	}
	if len(list.Items) == 0 {
		return nil, fmt.Errorf("%s: the shop has no category", a.call)
	}
	return list.Items[0], nil
})

// category returns a category that the shop has.
func category(t *testing.T) object {
	t.Helper()
	c, err := firstCategory()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A product is what a test sells.
type product struct {
	id   int64
	sku  string
	name string
}

func (p product) path(below string) string { return fmt.Sprintf("/api/products/%d%s", p.id, below) }

// newProduct puts a product of 1999 cents with 10 in stock on sale, or what fields say.
func newProduct(t *testing.T, fields ...object) product {
	t.Helper()
	p := product{sku: unique("SKU-"), name: unique("Thing ")}
	body := object{
		"sku": p.sku, "name": p.name, "description": "Made by a test.",
		"category_id": category(t).int(t, "id"), "price_cents": 1999, "stock_qty": 10,
	}
	for _, f := range fields {
		for k, v := range f {
			body[k] = v
		}
	}
	o := admin(t).post(t, "/api/admin/products", body).want(http.StatusCreated).object()
	p.id, p.sku, p.name = o.int(t, "id"), o.text(t, "sku"), o.text(t, "name")
	return p
}

// available returns how many pieces of p can be bought now.
func available(t *testing.T, p product) int64 {
	t.Helper()
	return guest().get(t, p.path("/stock")).want(http.StatusOK).object().int(t, "available")
}

// line is a product and how many of it.
type line struct {
	product product
	qty     int
}

// newCart opens a cart with lines and returns its id.
func (c *client) newCart(t *testing.T, lines ...line) string {
	t.Helper()
	a := c.post(t, "/api/carts", nil)
	if a.status != http.StatusOK {
		a.want(http.StatusCreated)
	}
	id := a.object().text(t, "id")
	for _, l := range lines {
		c.post(t, "/api/carts/"+id+"/items", object{"product_id": l.product.id, "qty": l.qty}).want(http.StatusCreated)
	}
	return id
}

// checkoutBody asks for a cart to be ordered with card.
func checkoutBody(cart string, address int64, card string) object {
	return object{
		"cart_id": cart, "address_id": address, "shipping_method": "standard",
		"card": object{"number": card},
	}
}

func key(k string) header { return header{"Idempotency-Key": k} }

// An order is what a checkout made.
type order struct {
	id      int64
	payment int64
	body    object
}

func (o order) path(below string) string { return fmt.Sprintf("/api/orders/%d%s", o.id, below) }

func asOrder(t *testing.T, o object) order {
	t.Helper()
	return order{o.int(t, "id"), o.at(t, "payment").int(t, "id"), o}
}

// buy orders lines with card, to a new address.
func (c *customer) buy(t *testing.T, card string, lines ...line) order {
	t.Helper()
	cart := c.newCart(t, lines...)
	a := c.post(t, "/api/checkout", checkoutBody(cart, c.newAddress(t), card), key(unique("k-")))
	a.created("/api/orders/")
	return asOrder(t, a.object())
}

// order reads an order of the customer.
func (c *customer) order(t *testing.T, o order) object {
	t.Helper()
	return c.get(t, o.path("")).want(http.StatusOK).object()
}

// becomes waits until the order has status.
func (c *customer) becomes(t *testing.T, o order, status string) {
	t.Helper()
	eventually(t, providerPatience, func() error {
		if got := c.order(t, o).text(t, "status"); got != status {
			return fmt.Errorf("order %d is %s, want %s", o.id, got, status)
		}
		return nil
	})
}

// payment reads a payment of the customer.
func (c *customer) payment(t *testing.T, o order) object {
	t.Helper()
	return c.get(t, fmt.Sprintf("/api/payments/%d", o.payment)).want(http.StatusOK).object()
}

// adminOrder sends the administrator's step (pack, ship, deliver) for an order.
func adminOrder(t *testing.T, o order, step string) *answer {
	t.Helper()
	var body any
	if step == "ship" {
		body = object{"carrier": "UPS", "tracking": "1Z999"}
	}
	return admin(t).post(t, fmt.Sprintf("/api/admin/orders/%d/%s", o.id, step), body)
}

// advance takes a paid order on by steps.
func advance(t *testing.T, o order, steps ...string) {
	t.Helper()
	for _, step := range steps {
		adminOrder(t, o, step).want(http.StatusOK)
	}
}

// newCoupon makes a coupon of its own and returns its id and code.
func newCoupon(t *testing.T, kind string, value int, fields ...object) (id int64, code string) {
	t.Helper()
	code = strings.ToUpper(unique("C"))
	body := object{"code": code, "kind": kind, "value": value}
	for _, f := range fields {
		for k, v := range f {
			body[k] = v
		}
	}
	o := admin(t).post(t, "/api/admin/coupons", body).want(http.StatusCreated).object()
	return o.int(t, "id"), code
}

// ids returns the numbers at key of each object.
func ids(t *testing.T, list []object, key string) []int64 {
	t.Helper()
	out := make([]int64, len(list))
	for i, o := range list {
		out[i] = o.int(t, key)
	}
	return out
}

// find returns the first object for which ok is true.
func find(list []object, ok func(object) bool) (object, bool) {
	i := slices.IndexFunc(list, ok)
	if i < 0 {
		return nil, false
	}
	return list[i], true
}

// quantities returns how many of each product a cart holds.
func quantities(t *testing.T, cart object) map[int64]int64 {
	t.Helper()
	list, ok := cart["items"].([]any)
	if !ok {
		t.Fatalf("the cart's items are %v", cart["items"])
	}
	out := map[int64]int64{}
	for _, item := range list {
		o := object(item.(map[string]any))
		out[o.int(t, "product_id")] += o.int(t, "qty")
	}
	return out
}

// atOnce lets n goroutines ask at the same moment and counts the statuses.
func atOnce(t *testing.T, n int, ask func(i int) (*answer, error)) map[int]int {
	t.Helper()
	statuses := map[int]int{}
	for _, a := range together(t, n, ask) {
		statuses[a.status]++
	}
	return statuses
}

// together lets n goroutines ask at the same moment and returns the answers.
func together(t *testing.T, n int, ask func(i int) (*answer, error)) []*answer {
	t.Helper()
	start, answers, errs := make(chan struct{}), make([]*answer, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			answers[i], errs[i] = ask(i)
		})
	}
	close(start)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("request %d of %d: %v", i+1, n, err)
		}
		answers[i].t = t
	}
	return answers
}
