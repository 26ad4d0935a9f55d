package acceptance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// followed is how long whoever answers for the recommendations may be behind.
const followed = 15 * time.Second

// recommended returns "id:score" of what is bought together with p, in order.
func recommended(t *testing.T, p product, query string) (list []string, err error) {
	t.Helper()
	a, err := guest().send(t.Context(), t.Name(), http.MethodGet, p.path("/recommendations"+query), nil)
	if err != nil {
		return nil, err
	}
	a.t = t
	if a.status != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d: %s", a.call, a.status, a.excerpt())
	}
	for _, o := range a.items() {
		if o["reason"] == "bought_together" {
			list = append(list, fmt.Sprintf("%v:%v", o["id"], o["score"]))
		}
	}
	return list, nil
}

func wantRecommended(t *testing.T, p product, query string, want ...string) {
	t.Helper()
	eventually(t, followed, func() error {
		got, err := recommended(t, p, query)
		if err != nil {
			return err
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			return fmt.Errorf("bought together with %d%s: %v, want %v", p.id, query, got, want)
		}
		return nil
	})
}

func score(p product, n int) string { return fmt.Sprintf("%d:%d", p.id, n) }

func TestRecommendationsFollowOrders(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	var p [5]product
	for i := range p {
		p[i] = newProduct(t, object{"stock_qty": 50})
	}
	// Product 0 is bought with 1 three times, with 4 twice, with 2 and 3 once.
	first := buyer.buy(t, goodCard, line{p[0], 1}, line{p[1], 2}, line{p[4], 1}, line{p[2], 1})
	buyer.buy(t, goodCard, line{p[1], 1}, line{p[0], 5}, line{p[4], 1})
	buyer.buy(t, goodCard, line{p[3], 1}, line{p[0], 1}, line{p[1], 1})
	buyer.buy(t, goodCard, line{p[1], 1}, line{p[2], 1})
	buyer.buy(t, declinedCard, line{p[0], 1}, line{p[2], 1})
	cancelled := buyer.buy(t, goodCard, line{p[0], 1}, line{p[3], 1})
	buyer.post(t, cancelled.path("/cancel"), nil).want(200)

	t.Run("by the number of orders, ties by id", func(t *testing.T) {
		wantRecommended(t, p[0], "", score(p[1], 3), score(p[4], 2), score(p[2], 1), score(p[3], 1))
	})
	t.Run("from the other side", func(t *testing.T) {
		wantRecommended(t, p[2], "", score(p[1], 2), score(p[0], 1), score(p[4], 1))
	})
	t.Run("limit", func(t *testing.T) {
		wantRecommended(t, p[0], "?limit=1", score(p[1], 3))
		wantRecommended(t, p[0], "?limit=3", score(p[1], 3), score(p[4], 2), score(p[2], 1))
		if n := len(guest().get(t, p[0].path("/recommendations?limit=3")).items()); n != 3 {
			t.Errorf("limit 3 gives %d", n)
		}
	})
	t.Run("packed, shipped and delivered count", func(t *testing.T) {
		advance(t, first, "pack", "ship", "deliver")
		wantRecommended(t, p[0], "", score(p[1], 3), score(p[4], 2), score(p[2], 1), score(p[3], 1))
	})
	t.Run("returned does not", func(t *testing.T) {
		buyer.post(t, first.path("/returns"), object{"reason": "too small"}).want(200)
		wantRecommended(t, p[0], "", score(p[1], 2), score(p[3], 1), score(p[4], 1))
	})
	t.Run("an inactive product leaves", func(t *testing.T) {
		admin(t).patch(t, fmt.Sprintf("/api/admin/products/%d", p[1].id), object{"active": false}).want(200)
		wantRecommended(t, p[0], "", score(p[3], 1), score(p[4], 1))
	})
	t.Run("a product shows as it is now", func(t *testing.T) {
		name := unique("Renamed ")
		admin(t).patch(t, fmt.Sprintf("/api/admin/products/%d", p[4].id), object{"name": name, "price_cents": 4321}).want(200)
		eventually(t, followed, func() error {
			a := guest().get(t, p[0].path("/recommendations"))
			o, ok := find(a.items(), func(o object) bool { return o.int(t, "id") == p[4].id })
			if !ok || o["name"] != name || o["price_cents"] != 4321.0 {
				return fmt.Errorf("product %d shows as %v", p[4].id, o)
			}
			return nil
		})
	})
}

func TestRecommendationsFillUpFromCategory(t *testing.T) {
	t.Parallel()
	buyer, p, other := signUp(t), newProduct(t), newProduct(t)
	buyer.buy(t, goodCard, line{p, 1}, line{other, 1})
	wantRecommended(t, p, "?limit=12", score(other, 1))

	a := guest().get(t, p.path("/recommendations?limit=12")).want(200)
	o := a.object()
	o.has(t, "recommendations", "product_id", "items")
	if o.int(t, "product_id") != p.id {
		t.Errorf("product_id %v, want %d", o["product_id"], p.id)
	}
	list := a.items()
	seen := map[int64]bool{p.id: true}
	for i, item := range list {
		item.has(t, "recommendation", "id", "name", "price_cents", "image_url", "score", "reason")
		id := item.int(t, "id")
		if seen[id] {
			t.Errorf("product %d is there twice, or is the product itself", id)
		}
		seen[id] = true
		if i == 0 {
			continue
		}
		before := list[i-1]
		switch {
		case item["reason"] != "same_category":
			t.Errorf("item %d has the reason %v, want same_category", i, item["reason"])
		case before["reason"] == "same_category" && before.int(t, "score") < item.int(t, "score"):
			t.Errorf("item %d has a higher score than the one before: %v", i, list)
		case before["reason"] == "same_category" && before["score"] == item["score"] && before.int(t, "id") > id:
			t.Errorf("item %d has a lower id than the one before with the same score: %v", i, list)
		}
		detail := guest().get(t, fmt.Sprintf("/api/products/%d", id)).want(200).object()
		if detail.at(t, "category")["id"] != category(t)["id"] {
			t.Errorf("product %d is of category %v", id, detail["category"])
		}
	}
	t.Run("six by default", func(t *testing.T) {
		t.Parallel()
		if n := len(guest().get(t, p.path("/recommendations")).items()); n != 6 {
			t.Errorf("%d recommendations, want 6", n)
		}
	})
	refuse(t, guest(), []refusal{
		{"limit 0", "GET", p.path("/recommendations?limit=0"), nil, 422, "invalid", []string{"limit"}},
		{"limit 13", "GET", p.path("/recommendations?limit=13"), nil, 422, "invalid", []string{"limit"}},
		{"limit that is no number", "GET", p.path("/recommendations?limit=all"), nil, 422, "invalid", []string{"limit"}},
	})
}

func TestRecommendationsFragment(t *testing.T) {
	t.Parallel()
	buyer, p := signUp(t), newProduct(t)
	other := newProduct(t, object{"name": unique(`<script>alert("x")</script> `)})
	buyer.buy(t, goodCard, line{p, 1}, line{other, 1})
	wantRecommended(t, p, "", score(other, 1))

	a := guest().get(t, p.path("/recommendations"), header{"Accept": "text/html"}).want(200)
	if kind := a.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/html") {
		t.Errorf("Content-Type %q, want text/html", kind)
	}
	if a.header.Get("X-Fragment") != "recommendations" || !strings.Contains(a.header.Get("Vary"), "Accept") {
		t.Errorf("X-Fragment %q, Vary %q", a.header.Get("X-Fragment"), a.header.Get("Vary"))
	}
	doc := parse(t, a)
	section := one(t, doc, func(n *html.Node) bool {
		return n.Data == "section" && attr(n, "class") == "recommendations" && attr(n, "data-fragment") == "recommendations"
	})
	one(t, section, func(n *html.Node) bool {
		return n.Data == "a" && attr(n, "href") == fmt.Sprintf("/p/%d", other.id)
	})
	if !strings.Contains(textOf(section), other.name) {
		t.Errorf("the fragment does not show %q as text: %s", other.name, a.body)
	}
	if found := all(doc, func(n *html.Node) bool { return n.Data == "script" }); len(found) > 0 {
		t.Errorf("a product's name became a script: %s", a.body)
	}
	t.Run("JSON for everybody else", func(t *testing.T) {
		t.Parallel()
		for _, accept := range []string{"", "*/*", "application/json"} {
			a := guest().get(t, p.path("/recommendations"), header{"Accept": accept}).want(200)
			a.object().has(t, "recommendations", "product_id", "items")
			if a.header.Get("X-Fragment") != "" || !strings.Contains(a.header.Get("Vary"), "Accept") {
				t.Errorf("Accept %q: X-Fragment %q, Vary %q", accept, a.header.Get("X-Fragment"), a.header.Get("Vary"))
			}
		}
	})
}
