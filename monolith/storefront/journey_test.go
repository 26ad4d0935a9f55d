package storefront_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	goodCard     = "4242 4242 4242 4242"
	declinedCard = "4000 0000 0000 0002"
	lateCard     = "4000 0000 0000 0259"
)

// TestJourney goes the shop's main path in a browser: browse, search, fill the cart,
// register, pay with a declined and then an accepted card, look at the order; the
// administrator packs and ships it. Every page is photographed.
func TestJourney(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	b := s.browse(t)

	b.open("/")
	b.shows("Well-made things")
	b.shoot("01-home")
	b.write("#q", "mug")
	b.shows("Results for “mug”")
	b.until(`location.search === "?q=mug"`)
	b.shoot("02-search")
	b.press(".cards h2 a")
	b.until(`location.pathname.startsWith("/p/") && document.querySelector(".recommendations")`)
	b.shoot("03-product")
	b.press(".buy button")
	b.shows("Added to your cart.")
	b.until(`document.querySelector("#cart-count .badge").firstChild.data === "1" && location.pathname.startsWith("/p/")`)
	b.quiet()

	b.press("#cart-count")
	b.shows("Your cart")
	b.write(".lines .qty", "2")
	b.press(".lines .inline .quiet")
	b.shows("Your cart is up to date.")
	b.write("#code", "WELCOME10")
	b.press(`form[action="/cart/coupon"] button`)
	b.shows("The coupon is on your cart.")
	b.shoot("04-cart")
	b.press(`a[href="/checkout"]`)
	b.shows("New here?")
	b.shoot("05-login")
	b.press(`main a[href^="/register"]`)
	b.shows("At least 8 characters.")
	b.shoot("06-register")
	b.write("#name", "Grace Example")
	b.write("#email", "grace@example.org")
	b.write("#password", "a long password")
	b.press("main form button")
	b.shows("Where to")
	b.quiet()
	checkOut(b)
	number := orderNumber(b)
	shipOrder(b, number)
	receive(b, number)
	b.quiet()
}

// checkOut orders what is in the cart, first with a card that is declined.
func checkOut(b *tab) {
	b.t.Helper()
	b.write("#name", "Grace Example")
	b.write("#street", "1 Harbour Road")
	b.write("#postal_code", "10115")
	b.write("#city", "Berlin")
	b.do(chromedp.SendKeys(chromedp.CSS("#country"), "Germany"), chromedp.KeyEvent(kb.Tab))
	b.shows("Shipping (standard, Germany)")
	b.press(`input[value="express"]`)
	b.shows("Shipping (express, Germany)")
	b.write("#card_number", declinedCard)
	b.shoot("07-checkout")
	b.press("#pay")
	b.shows("the card was declined")
	b.shows("The card ending in 0002 was declined (card declined)")
	b.shoot("08-declined")
	b.write("#card_number", goodCard)
	b.press(`form[action$="/pay"] button`)
	b.shows("Your order is paid")
	b.shoot("09-order")
	b.open("/orders")
	b.shows("Paid")
	b.shoot("10-orders")
	b.open("/account")
	b.shows("1 Harbour Road")
	b.shoot("11-account")
	b.quiet()
}

// orderNumber reads the number of the newest order off the history page.
func orderNumber(b *tab) string {
	b.t.Helper()
	b.open("/orders")
	number := regexp.MustCompile(`#(\d+)`).FindStringSubmatch(b.text())
	if number == nil {
		b.t.Fatalf("no order number in %s", b.text())
	}
	return number[1]
}

// shipOrder is the administrator's part.
func shipOrder(b *tab, number string) {
	b.t.Helper()
	b.open("/account")
	b.press(`form[action="/logout"] button`)
	b.shows("You are signed out.")
	b.open("/login?next=/admin")
	b.write("#email", "admin@shop.example")
	b.write("#password", "admin-password")
	b.press("main form button")
	b.shows("Sold best in 30 days")
	b.shoot("12-dashboard")
	b.open("/admin/products?q=mug")
	b.shows("Adjust stock")
	b.shoot("13-admin-products")
	b.open("/admin/orders?status=paid")
	b.shows("Grace Example")
	b.press("#order-" + number + " .actions button")
	b.shows("The order is packed.")
	b.open("/admin/orders")
	b.write("#carrier-"+number, "DHL")
	b.write("#tracking-"+number, "JD-4711")
	b.shoot("14-admin-orders")
	b.press("#order-" + number + " .actions button")
	b.shows("The order is on its way.")
}

// receive is what the customer sees of it.
func receive(b *tab, number string) {
	b.t.Helper()
	b.open("/account")
	b.press(`form[action="/logout"] button`)
	b.shows("You are signed out.")
	b.open("/login?next=/orders/" + number)
	b.write("#email", "grace@example.org")
	b.write("#password", "a long password")
	b.press("main form button")
	b.shows("DHL, tracking number JD-4711")
	b.shoot("15-shipped")
	b.open("/nowhere")
	b.shows("We cannot find that page")
	b.complained() // the browser reports the 404 itself
	b.shoot("16-not-found")
}

// TestJourneyWithoutScript goes the same path by links and forms alone.
func TestJourneyWithoutScript(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	v := s.visitor(t)

	v.page("/", "Well-made things", `action="/" method="get"`)
	found := v.page("/?q=mug&sort=-price", "Results for “mug”")
	product := regexp.MustCompile(`href="/p/(\d+)"`).FindStringSubmatch(found)[1]
	body := v.page("/p/"+product, "Add to cart", `href="/p/`+product+`?recommendations=1"`)
	if strings.Contains(body, `data-fragment="recommendations"`) {
		t.Error("the page brings the recommendations that the browser is to fetch")
	}
	v.page("/p/"+product+"?recommendations=1", `data-fragment="recommendations"`)
	v.to("/cart", "/cart/items", "product_id", product, "qty", "1")
	cart := v.page("/cart", "Added to your cart.")
	item := regexp.MustCompile(`action="/cart/items/(\d+)"`).FindStringSubmatch(cart)[1]
	v.to("/cart", "/cart/items/"+item, "qty", "2")
	v.to("/cart", "/cart/coupon", "code", "WELCOME10")
	v.page("/cart", "WELCOME10", "Discount")

	if res := v.get("/checkout"); res.status != 303 || res.location != "/login?next=%2Fcheckout" {
		t.Fatalf("checkout of a guest: %d to %q", res.status, res.location)
	}
	v.to("/checkout", "/register", "name", "Ada", "email", "new@example.org", "password", "a long password", "next", "/checkout")
	form := fields(v.page("/checkout", "Welcome!", "Work out the total again"))
	to := []string{
		"address_id", "new", "name", "Ada", "street", "1 Road", "postal_code", "10115", "city", "Berlin", "country", "DE",
		"shipping_method", "express", "cart_id", form["cart_id"], "idempotency_key", form["idempotency_key"],
	}
	v.refused("/checkout", append(to, "total_cents", form["total_cents"], "card_number", declinedCard),
		"The total is now", "Nothing has been ordered yet")
	res := v.post("/checkout", append(to, "update", "1")...)
	if res.status != 200 || !strings.Contains(res.body, "express, Germany") {
		t.Fatalf("update of the total: %d %s", res.status, res.body)
	}
	to = append(to, "total_cents", fields(res.body)["total_cents"], "card_number", declinedCard)
	order := v.post("/checkout", to...)
	if order.status != 303 || !strings.HasPrefix(order.location, "/orders/") {
		t.Fatalf("checkout: %d to %q: %s", order.status, order.location, order.body)
	}
	v.page(order.location, "the card was declined", "(card declined)")
	if again := v.post("/checkout", to...); again.location != order.location {
		t.Errorf("the same form again: %d to %q, want %q", again.status, again.location, order.location)
	}
	v.to(order.location, order.location+"/pay", "card_number", goodCard)
	v.page(order.location, "Your order is paid", "(express)")
	v.page("/orders", "2 × ", strings.TrimPrefix(order.location, "/orders/"))

	number := strings.TrimPrefix(order.location, "/orders/")
	admin := s.visitor(t)
	admin.login("admin@shop.example", "admin-password")
	admin.page("/admin/orders?status=paid", `id="order-`+number+`"`)
	admin.to("/admin/orders#order-"+number, "/admin/orders/"+number+"/pack")
	admin.to("/admin/orders?status=packed#order-"+number, "/admin/orders/"+number+"/ship?status=packed", "carrier", "DHL", "tracking", "JD-1")
	admin.to("/admin/orders#order-"+number, "/admin/orders/"+number+"/deliver")
	v.page(order.location, "JD-1", "Return the order")
	v.to("/p/"+product+"#reviews", "/p/"+product+"/reviews", "rating", "4", "title", "Solid <b>mug</b>", "body", "Holds coffee.")
	v.page("/p/"+product, "Solid &lt;b&gt;mug&lt;/b&gt;", "You have already reviewed this product.")
	v.to(order.location, order.location+"/return")
	v.page(order.location, "The return is booked", "Refunded")
}

// fields are the hidden values of a page's forms.
func fields(body string) map[string]string {
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`).FindAllStringSubmatch(body, -1) {
		all[m[1]] = m[2]
	}
	return all
}
