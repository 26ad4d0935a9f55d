package reviews_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

type body = map[string]any

func TestOnlyBuyersOnce(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	id := k.Product(k.Category("tea"), "Tea", 500, 10)
	path := fmt.Sprintf("/api/products/%d/reviews", id)
	good := body{"rating": 4, "title": " Good ", "body": " Very. "}
	k.Guest().Do("POST", path, good).WantError(t, 401, "unauthenticated")
	for status, allowed := range map[string]bool{
		"pending": false, "cancelled": false, "refunded": false, "paid": true, "packed": true, "shipped": true, "delivered": true,
	} {
		c := k.Customer("C " + status)
		c.Do("POST", path, good).WantError(t, 403, "not_a_buyer")
		k.Order(c.User.ID, status, id)
		answer := c.Do("POST", path, good)
		if !allowed {
			answer.WantError(t, 403, "not_a_buyer")
			continue
		}
		answer.Want(t, http.StatusCreated)
		if answer.Header.Get("Location") != fmt.Sprintf("%s/%d", path, answer.Int("id")) || answer.Text("author") != "C "+status ||
			answer.Text("title") != "Good" || answer.Text("body") != "Very." || answer.Int("product_id") != id {
			t.Errorf("%s", answer.Body)
		}
		read := k.Guest().Do("GET", answer.Header.Get("Location"), nil).Want(t, http.StatusOK)
		if string(read.Body) != string(answer.Body) {
			t.Errorf("read %s, written %s", read.Body, answer.Body)
		}
		c.Do("POST", path, good).WantError(t, 409, "already_reviewed")
	}
	if n := k.Count(`SELECT count(*) FROM audit_log WHERE action = 'review.created' AND entity = 'review'`); n != 4 {
		t.Errorf("%d audit rows, want 4", n)
	}
}

func TestListAndRating(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	id := k.Product(k.Category("tea"), "Tea", 500, 10)
	path := fmt.Sprintf("/api/products/%d/reviews", id)
	empty := k.Guest().Do("GET", path, nil).Want(t, http.StatusOK)
	if string(empty.Body) != `{"items":[],"page":1,"per_page":10,"pages":0,"total":0,"rating_avg":0,"rating_count":0}`+"\n" {
		t.Errorf("%s", empty.Body)
	}
	for i, rating := range []int{5, 4, 4} {
		c := k.Customer(fmt.Sprint("C", i))
		k.Order(c.User.ID, "paid", id)
		c.Do("POST", path, body{"rating": rating, "title": fmt.Sprint("T", i)}).Want(t, http.StatusCreated)
	}
	page := k.Guest().Do("GET", path+"?per_page=2", nil)
	if page.Text("items.0.title") != "T2" || page.Text("items.1.title") != "T1" || page.Get("items.2") != nil ||
		page.Int("total") != 3 || page.Int("pages") != 2 || page.Get("rating_avg") != 4.33 || page.Int("rating_count") != 3 {
		t.Errorf("%s", page.Body)
	}
	product := k.Guest().Do("GET", fmt.Sprintf("/api/products/%d", id), nil)
	if product.Get("rating_avg") != 4.33 || product.Int("rating_count") != 3 {
		t.Errorf("product: %s", product.Body)
	}
}

func TestReviewRefuses(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea := k.Category("tea")
	id, other := k.Product(tea, "Tea", 500, 10), k.Product(tea, "Mug", 500, 10)
	c := k.Customer("Ada")
	k.Order(c.User.ID, "paid", id)
	path := fmt.Sprintf("/api/products/%d/reviews", id)
	c.Do("POST", path, body{}).WantError(t, 422, "invalid", "rating", "title")
	c.Do("POST", path, body{"rating": 6, "title": strings.Repeat("x", 121), "body": strings.Repeat("x", 4001)}).
		WantError(t, 422, "invalid", "rating", "title", "body")
	c.Do("POST", path, body{"rating": 5, "title": "x", "user_id": 1}).WantError(t, 422, "invalid", "user_id")
	c.Do("POST", path, body{"rating": 4.5, "title": "x"}).WantError(t, 422, "invalid", "rating")
	c.Do("POST", "/api/products/999/reviews", body{"rating": 5, "title": "x"}).WantError(t, 404, "not_found")
	made := c.Do("POST", path, body{"rating": 5, "title": strings.Repeat("é", 120), "body": strings.Repeat("é", 4000)}).Want(t, 201)
	k.Guest().Do("GET", fmt.Sprintf("/api/products/%d/reviews/%d", other, made.Int("id")), nil).WantError(t, 404, "not_found")
	k.Guest().Do("GET", path+"/999", nil).WantError(t, 404, "not_found")
	k.Guest().Do("GET", "/api/products/999/reviews", nil).WantError(t, 404, "not_found")
	k.Guest().Do("GET", path+"?per_page=101", nil).WantError(t, 422, "invalid", "per_page")
	k.Admin().Do("PATCH", fmt.Sprintf("/api/admin/products/%d", id), body{"active": false}).Want(t, 200)
	k.Guest().Do("GET", path, nil).WantError(t, 404, "not_found")
}
