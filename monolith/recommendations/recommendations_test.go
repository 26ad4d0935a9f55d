package recommendations_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/recommendations"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

type body = map[string]any

// line shows a list as "id:score:reason's first letter".
func line(items []recommendations.Item) string {
	parts := []string{}
	for _, i := range items {
		parts = append(parts, fmt.Sprintf("%d:%d:%.1s", i.ID, i.Score, i.Reason))
	}
	return strings.Join(parts, " ")
}

func list(t *testing.T, k *testkit.Kit, id int64, limit int) recommendations.List {
	t.Helper()
	var got recommendations.List
	k.Guest().Do("GET", fmt.Sprintf("/api/products/%d/recommendations?limit=%d", id, limit), nil).Want(t, http.StatusOK).Into(t, &got)
	if got.ProductID != id {
		t.Errorf("product_id %d, want %d", got.ProductID, id)
	}
	return got
}

func TestBoughtTogetherThenSameCategory(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea, mugs := k.Category("tea"), k.Category("mugs")
	ada := k.Customer("Ada").User.ID
	p := [9]int64{}
	for i := 1; i <= 8; i++ {
		p[i] = k.Product(map[bool]int64{true: tea, false: mugs}[i <= 6], fmt.Sprint("P", i), int64(i*100), 5)
	}
	k.Order(ada, "paid", p[1], p[7])
	k.Order(ada, "delivered", p[1], p[7], p[2])
	k.Order(ada, "shipped", p[1], p[8])
	k.Order(ada, "packed", p[1], p[8])
	for _, status := range []string{"pending", "cancelled", "refunded"} {
		k.Order(ada, status, p[1], p[3])
	}
	k.Order(ada, "paid", p[3], p[4]) // without p1
	for day, views := range map[string][3]int64{
		"2026-03-01": {p[4], 3}, "2026-01-31": {p[5], 4}, "2026-01-30": {p[6], 100}, "2026-02-10": {p[4], 1}, "2026-03-02": {p[6], 50}, "2026-02-28": {p[2], 99},
	} {
		k.Exec(`INSERT INTO product_views (product_id, day, views, updated_at) VALUES (?, ?, ?, 0)`, views[0], day, views[1])
	}
	// p7 and p8: twice, the lower id first; p2 once, and not again for its views;
	// then 4 (3+1 views), 5 (4 views, 29 days ago), 3 and 6 (none that count).
	want := fmt.Sprintf("%d:2:b %d:2:b %d:1:b %d:4:s %d:4:s %d:0:s %d:0:s", p[7], p[8], p[2], p[4], p[5], p[3], p[6])
	if got := line(list(t, k, p[1], 12).Items); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for limit := 1; limit <= 7; limit++ {
		if got := line(list(t, k, p[1], limit).Items); got != strings.Join(strings.Fields(want)[:limit], " ") {
			t.Errorf("limit %d: %s", limit, got)
		}
	}
	six := k.Guest().Do("GET", fmt.Sprintf("/api/products/%d/recommendations", p[1]), nil)
	if n := strings.Count(string(six.Body), `"reason"`); n != 6 {
		t.Errorf("%d items without a limit, want 6", n)
	}
	admin := k.Admin()
	for _, id := range []int64{p[7], p[4]} {
		admin.Do("PATCH", fmt.Sprintf("/api/admin/products/%d", id), body{"active": false}).Want(t, http.StatusOK)
	}
	want = fmt.Sprintf("%d:2:b %d:1:b %d:4:s %d:0:s %d:0:s", p[8], p[2], p[5], p[3], p[6])
	if got := line(list(t, k, p[1], 12).Items); got != want {
		t.Errorf("without inactive products: %s, want %s", got, want)
	}
	k.Guest().Do("GET", fmt.Sprintf("/api/products/%d/recommendations", p[7]), nil).WantError(t, 404, "not_found")
}

// The SQL agrees with the rule written as plainly as possible, on random shops.
func TestAgainstThePlainRule(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	random := rand.New(rand.NewPCG(1, 2))
	categories := []int64{k.Category("a"), k.Category("b")}
	ada := k.Customer("Ada").User.ID
	statuses := []string{"pending", "paid", "packed", "shipped", "delivered", "cancelled", "refunded"}
	type product struct {
		id, category int64
		active       bool
		views        int64
	}
	var products []product
	for range 14 {
		c := categories[random.IntN(2)]
		p := product{id: k.Product(c, "P", 100, 1), category: c, active: random.IntN(5) > 0}
		if p.views = int64(random.IntN(4)); p.views > 0 {
			k.Exec(`INSERT INTO product_views (product_id, day, views, updated_at) VALUES (?, '2026-02-20', ?, 0)`, p.id, p.views)
		}
		k.Exec(`UPDATE products SET active = ? WHERE id = ?`, p.active, p.id)
		products = append(products, p)
	}
	together := map[[2]int64]int64{}
	for range 25 {
		status := statuses[random.IntN(len(statuses))]
		var lines []int64
		for _, i := range random.Perm(len(products))[:1+random.IntN(4)] {
			lines = append(lines, products[i].id)
		}
		k.Order(ada, status, lines...)
		if slices.Contains(statuses[1:5], status) {
			for _, a := range lines {
				for _, b := range lines {
					together[[2]int64{a, b}]++
				}
			}
		}
	}
	for _, p := range products {
		if !p.active {
			continue
		}
		var first, second []recommendations.Item
		for _, other := range products { // by id already
			n := together[[2]int64{p.id, other.id}]
			switch {
			case other.id == p.id || !other.active:
			case n > 0:
				first = append(first, recommendations.Item{ID: other.id, Score: n, Reason: "bought_together"})
			case other.category == p.category:
				second = append(second, recommendations.Item{ID: other.id, Score: other.views, Reason: "same_category"})
			}
		}
		byScore := func(a, b recommendations.Item) int { return int(b.Score - a.Score) }
		slices.SortStableFunc(first, byScore)
		slices.SortStableFunc(second, byScore)
		all := slices.Concat(first, second)
		for _, limit := range []int{1, 3, 6, 12} {
			if got, want := line(list(t, k, p.id, limit).Items), line(all[:min(limit, len(all))]); got != want {
				t.Errorf("product %d, limit %d: %s, want %s", p.id, limit, got, want)
			}
		}
	}
}

// The remembered ranking never outlives what it was made of, even while the clock
// stands still.
func TestRankingFollowsEveryChange(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea, mugs, admin := k.Category("tea"), k.Category("mugs"), k.Admin()
	p, a, b := k.Product(tea, "P", 100, 1), k.Product(tea, "A", 100, 1), k.Product(tea, "B", 100, 1)
	change := func(id int64, what body) func() {
		return func() { admin.Do("PATCH", fmt.Sprintf("/api/admin/products/%d", id), what).Want(t, http.StatusOK) }
	}
	view := func(id int64, times int) func() {
		return func() {
			for range times {
				k.Recommendations.Viewed(id)
			}
			if err := k.Recommendations.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	days := func(n int) func() { return func() { k.Clock.Advance(time.Duration(n) * 24 * time.Hour) } }
	for i, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, fmt.Sprintf("%d:0:s %d:0:s", a, b)},
		{view(b, 2), fmt.Sprintf("%d:2:s %d:0:s", b, a)},
		{view(a, 3), fmt.Sprintf("%d:3:s %d:2:s", a, b)},
		{change(a, body{"active": false}), fmt.Sprintf("%d:2:s", b)},
		{change(a, body{"active": true}), fmt.Sprintf("%d:3:s %d:2:s", a, b)},
		{change(b, body{"category_id": mugs}), fmt.Sprintf("%d:3:s", a)},
		{change(b, body{"category_id": tea}), fmt.Sprintf("%d:3:s %d:2:s", a, b)},
		{func() { k.Customer("Eve") }, fmt.Sprintf("%d:3:s %d:2:s", a, b)},
		{days(29), fmt.Sprintf("%d:3:s %d:2:s", a, b)},
		{days(1), fmt.Sprintf("%d:0:s %d:0:s", a, b)},
		{func() { k.Admin().Do("DELETE", fmt.Sprintf("/api/admin/products/%d", a), nil).Want(t, 204) }, fmt.Sprintf("%d:0:s", b)},
		{func() { a = k.Product(tea, "C", 100, 1) }, ""},
	} {
		step.do()
		if step.want == "" {
			step.want = fmt.Sprintf("%d:0:s %d:0:s", b, a)
		}
		for range 2 {
			if got := line(list(t, k, p, 6).Items); got != step.want {
				t.Errorf("step %d: %s, want %s", i, got, step.want)
			}
		}
	}
}

// However many products of the category are shown already, the list is filled up.
func TestLongListIsFilledUp(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea, ada := k.Category("tea"), k.Customer("Ada").User.ID
	var ids []int64
	for i := range 30 {
		ids = append(ids, k.Product(tea, fmt.Sprint("P", i), 100, 1))
		for range i {
			k.Recommendations.Viewed(ids[i])
		}
	}
	if err := k.Recommendations.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := ids[29]
	for together := range 11 { // those with the most views are bought together
		if together > 0 {
			k.Order(ada, "paid", last, ids[29-together])
		}
		items := list(t, k, last, 12).Items
		if len(items) != 12 || items[11].Reason != "same_category" || items[11].ID != ids[17] {
			t.Errorf("%d bought together: %s", together, line(items))
		}
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	tea := k.Category("tea")
	id := k.Product(tea, "Tea", 500, 5)
	path := fmt.Sprintf("/api/products/%d/recommendations", id)
	empty := k.Guest().Do("GET", path, nil).Want(t, http.StatusOK)
	if string(empty.Body) != fmt.Sprintf(`{"product_id":%d,"items":[]}`+"\n", id) || empty.Header.Get("Vary") != "Accept" || empty.Header.Get("X-Fragment") != "" {
		t.Errorf("%v %s", empty.Header, empty.Body)
	}
	section := k.Guest().Do("GET", path, nil, "Accept", "text/html").Want(t, http.StatusOK)
	if string(section.Body) != `<section class="recommendations" data-fragment="recommendations"></section>`+"\n" {
		t.Errorf("without items: %s", section.Body)
	}
	other := k.Product(tea, `<b>"Mug" & co`, 1205, 5)
	k.Admin().Do("PATCH", fmt.Sprintf("/api/admin/products/%d", other), body{"images": []body{{"url": "/static/m.svg"}}}).Want(t, 200)
	section = k.Guest().Do("GET", path, nil, "Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8").Want(t, http.StatusOK)
	for _, part := range []string{`href="/p/` + fmt.Sprint(other) + `"`, "&lt;b&gt;&#34;Mug&#34; &amp; co", "$12.05", `src="/static/m.svg"`} {
		if !strings.Contains(string(section.Body), part) {
			t.Errorf("%s is missing: %s", part, section.Body)
		}
	}
	if section.Header.Get("X-Fragment") != "recommendations" || section.Header.Get("Vary") != "Accept" ||
		section.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("headers: %v", section.Header)
	}
	for accept, html := range map[string]bool{
		"*/*": false, "": false, "application/json": false, "application/json, text/html;q=0.5": false,
		"text/html;q=0, */*": false, "text/html; charset=utf-8": true, "application/json;q=0.1,text/html": true,
	} {
		answer := k.Guest().Do("GET", path, nil, "Accept", accept)
		if got := answer.Header.Get("X-Fragment") != ""; got != html {
			t.Errorf("Accept %q: fragment %t, want %t", accept, got, html)
		}
	}
	for _, limit := range []string{"0", "13", "x", "-1"} {
		k.Guest().Do("GET", path+"?limit="+limit, nil).WantError(t, 422, "invalid", "limit")
	}
	k.Guest().Do("GET", "/api/products/999/recommendations", nil).WantError(t, 404, "not_found")
}

func TestViewsAreCountedAndWritten(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	id := k.Product(k.Category("tea"), "Tea", 500, 5)
	view := func() { k.Guest().Do("GET", fmt.Sprintf("/api/products/%d", id), nil).Want(t, http.StatusOK) }
	flush := func() {
		if err := k.Recommendations.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	view()
	view()
	flush()
	view()
	flush()
	k.Clock.Advance(24 * time.Hour)
	view()
	k.Recommendations.Viewed(999) // deleted meanwhile
	flush()
	flush()
	if n := k.Count(`SELECT views FROM product_views WHERE product_id = ? AND day = '2026-03-01'`, id); n != 3 {
		t.Errorf("%d views of the first day, want 3", n)
	}
	if n := k.Count(`SELECT views FROM product_views WHERE product_id = ? AND day = '2026-03-02' AND updated_at = ?`, id, k.Clock.Now().UnixMilli()); n != 1 {
		t.Errorf("%d views of the second day, want 1", n)
	}
	if n := k.Count(`SELECT count(*) FROM product_views`); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

func TestStoppingWritesTheLastViews(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	id := k.Product(k.Category("tea"), "Tea", 500, 5)
	store := recommendations.New(k.DB, k.Clock.Now, recommendations.Options{Flush: time.Hour})
	ctx, stop := context.WithCancel(t.Context())
	store.Viewed(id)
	stop()
	if err := store.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := k.Count(`SELECT coalesce(sum(views), 0) FROM product_views`); n != 1 {
		t.Errorf("%d views, want 1", n)
	}
}

func TestViewsStayCountedWhenTheyCannotBeWritten(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	id := k.Product(k.Category("tea"), "Tea", 500, 5)
	k.Recommendations.Viewed(id)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := k.Recommendations.Flush(ended); err == nil {
		t.Fatal("writing with an ended context worked")
	}
	if err := k.Recommendations.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := k.Count(`SELECT views FROM product_views`); n != 1 {
		t.Errorf("%d views, want 1", n)
	}
}
