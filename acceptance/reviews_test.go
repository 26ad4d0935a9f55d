package acceptance_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestReviewByBuyer(t *testing.T) {
	t.Parallel()
	p, buyer := newProduct(t), signUp(t)
	buyer.buy(t, goodCard, line{p, 1})
	review := object{"rating": 5, "title": "<i>Fine</i>", "body": "It's \"good\" & cheap"}
	a := buyer.post(t, p.path("/reviews"), review)
	location := a.created(p.path("/reviews/"))
	o := a.object()
	o.has(t, "review", "id", "product_id", "author", "rating", "title", "body", "created_at")
	o.isTime(t, "created_at")
	if o.int(t, "product_id") != p.id || o.int(t, "rating") != 5 || o["title"] != review["title"] || o["body"] != review["body"] || o.text(t, "author") == "" {
		t.Errorf("review is %v", o)
	}
	t.Run("can be read where Location says", func(t *testing.T) {
		t.Parallel()
		if got := guest().get(t, location).want(200).object(); fmt.Sprint(got) != fmt.Sprint(o) {
			t.Errorf("read %v, posted %v", got, o)
		}
	})
	t.Run("not below another product", func(t *testing.T) {
		t.Parallel()
		guest().get(t, newProduct(t).path(fmt.Sprintf("/reviews/%d", o.int(t, "id")))).fails(404, "not_found")
	})
	t.Run("only once", func(t *testing.T) {
		t.Parallel()
		buyer.post(t, p.path("/reviews"), object{"rating": 1, "title": "Again"}).fails(409, "already_reviewed")
	})
	t.Run("the author's e-mail is not shown", func(t *testing.T) {
		t.Parallel()
		if body := string(guest().get(t, p.path("/reviews")).want(200).body); strings.Contains(body, buyer.email) {
			t.Errorf("the reviews show the e-mail: %s", body)
		}
	})
}

func TestReviewNeedsPurchase(t *testing.T) {
	t.Parallel()
	p := newProduct(t)
	review := object{"rating": 5, "title": "Fine"}
	t.Run("bought nothing", func(t *testing.T) {
		t.Parallel()
		signUp(t).post(t, p.path("/reviews"), review).fails(403, "not_a_buyer")
	})
	t.Run("bought something else", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		buyer.buy(t, goodCard, line{newProduct(t), 1})
		buyer.post(t, p.path("/reviews"), review).fails(403, "not_a_buyer")
	})
	t.Run("has not paid", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		buyer.buy(t, declinedCard, line{p, 1})
		buyer.post(t, p.path("/reviews"), review).fails(403, "not_a_buyer")
	})
	t.Run("has cancelled", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, goodCard, line{p, 1})
		buyer.post(t, o.path("/cancel"), nil).want(200)
		buyer.post(t, p.path("/reviews"), review).fails(403, "not_a_buyer")
	})
	t.Run("after delivery", func(t *testing.T) {
		t.Parallel()
		buyer, p := signUp(t), newProduct(t)
		o := buyer.buy(t, goodCard, line{p, 1})
		advance(t, o, "pack", "ship", "deliver")
		buyer.post(t, p.path("/reviews"), review).want(201)
	})
	t.Run("of a product that does not exist", func(t *testing.T) {
		t.Parallel()
		signUp(t).post(t, "/api/products/999999999/reviews", review).fails(404, "not_found")
	})
}

func TestReviewLimits(t *testing.T) {
	t.Parallel()
	p, buyer := newProduct(t), signUp(t)
	buyer.buy(t, goodCard, line{p, 1})
	path := p.path("/reviews")
	t.Run("refused", func(t *testing.T) {
		refuse(t, buyer.client, []refusal{
			{"rating 0", "POST", path, object{"rating": 0, "title": "x"}, 422, "invalid", []string{"rating"}},
			{"rating 6", "POST", path, object{"rating": 6, "title": "x"}, 422, "invalid", []string{"rating"}},
			{"rating 4.5", "POST", path, object{"rating": 4.5, "title": "x"}, 422, "invalid", []string{"rating"}},
			{"rating as text", "POST", path, object{"rating": "5", "title": "x"}, 422, "invalid", []string{"rating"}},
			{"no title", "POST", path, object{"rating": 5}, 422, "invalid", []string{"title"}},
			{"title of 121", "POST", path, object{"rating": 5, "title": strings.Repeat("t", 121)}, 422, "invalid", []string{"title"}},
			{"body of 4001", "POST", path, object{"rating": 5, "title": "x", "body": strings.Repeat("b", 4001)}, 422, "invalid", []string{"body"}},
		})
	})
	// Had one of those been kept, this would be a 409.
	buyer.post(t, path, object{"rating": 1, "title": strings.Repeat("ü", 120), "body": strings.Repeat("ß", 4000)}).want(201)
}

func TestReviewSentTwiceAtOnce(t *testing.T) {
	t.Parallel()
	p, buyer := newProduct(t), signUp(t)
	buyer.buy(t, goodCard, line{p, 1})
	got := atOnce(t, 8, func(int) (*answer, error) {
		return buyer.send(t.Context(), t.Name(), "POST", p.path("/reviews"), object{"rating": 5, "title": "Fine"})
	})
	if got[201] != 1 || got[409] != 7 {
		t.Errorf("statuses %v, want one 201 and seven 409", got)
	}
	if n := guest().get(t, p.path("/reviews")).object().int(t, "total"); n != 1 {
		t.Errorf("%d reviews, want 1", n)
	}
}

func TestReviewList(t *testing.T) {
	t.Parallel()
	p := newProduct(t)
	empty := guest().get(t, p.path("/reviews")).want(200)
	if o := empty.object(); o.int(t, "rating_count") != 0 || o["rating_avg"] != 0.0 || o.int(t, "total") != 0 || len(empty.items()) != 0 {
		t.Errorf("no reviews yet, but %v", o)
	}
	ratings := []int{5, 4, 4}
	var want []int64
	for _, rating := range ratings {
		buyer := signUp(t)
		buyer.buy(t, goodCard, line{p, 1})
		o := buyer.post(t, p.path("/reviews"), object{"rating": rating, "title": "Fine"}).want(201).object()
		want = slices.Insert(want, 0, o.int(t, "id"))
	}
	t.Run("newest first, with the rating of all", func(t *testing.T) {
		t.Parallel()
		a := guest().get(t, p.path("/reviews?per_page=2")).want(200)
		o := a.object()
		o.has(t, "reviews", "items", "page", "per_page", "pages", "total", "rating_avg", "rating_count")
		if o.int(t, "total") != 3 || o.int(t, "pages") != 2 || o.int(t, "rating_count") != 3 {
			t.Errorf("list says %v", o)
		}
		if avg, _ := o["rating_avg"].(float64); math.Abs(avg-13.0/3) > 0.005 {
			t.Errorf("rating_avg %v, want 4.33", o["rating_avg"])
		}
		got := append(ids(t, a.items(), "id"), ids(t, guest().get(t, p.path("/reviews?per_page=2&page=2")).items(), "id")...)
		if !slices.Equal(got, want) {
			t.Errorf("reviews %v, want %v", got, want)
		}
	})
	t.Run("the product shows the same rating", func(t *testing.T) {
		t.Parallel()
		list, o := guest().get(t, p.path("/reviews")).object(), guest().get(t, p.path("")).object()
		if o["rating_avg"] != list["rating_avg"] || o["rating_count"] != list["rating_count"] {
			t.Errorf("product %v of %v, reviews %v of %v", o["rating_avg"], o["rating_count"], list["rating_avg"], list["rating_count"])
		}
	})
	refuse(t, guest(), []refusal{
		{"page 0", "GET", p.path("/reviews?page=0"), nil, 422, "invalid", []string{"page"}},
		{"101 a page", "GET", p.path("/reviews?per_page=101"), nil, 422, "invalid", []string{"per_page"}},
		{"unknown review", "GET", p.path("/reviews/999999999"), nil, 404, "not_found", nil},
	})
}
