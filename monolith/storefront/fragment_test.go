package storefront_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestProductPageIsWholeWhateverAnswers puts something broken where the
// recommendations come from: the page shows everything else, and no trace of it.
func TestProductPageIsWholeWhateverAnswers(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	broken := map[string]http.HandlerFunc{
		"/api/products/1/recommendations": func(w http.ResponseWriter, _ *http.Request) { // dead
			w.WriteHeader(http.StatusBadGateway)
		},
		"/api/products/2/recommendations": func(_ http.ResponseWriter, r *http.Request) { // slow
			select {
			case <-release:
			case <-r.Context().Done():
			}
		},
		"/api/products/3/recommendations": func(w http.ResponseWriter, _ *http.Request) { // not HTTP
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.Write([]byte("\x00garbage\r\n\r\n")) //nolint:errcheck // it is broken on purpose
			conn.Close()
		},
		"/api/products/4/recommendations": answer(200, "text/html", "", "<h2>BROKEN</h2>"),
		"/api/products/5/recommendations": answer(200, "application/json", "recommendations", "BROKEN"),
		"/api/products/6/recommendations": answer(500, "text/html", "recommendations", "<h2>BROKEN</h2>"),
		"/api/products/7/recommendations": answer(200, "text/html", "reviews", "<h2>BROKEN</h2>"),
		"/api/products/8/recommendations": answer(422, "text/html", "recommendations", "<h2>BROKEN</h2>"),
		"/api/products/9/recommendations": answer(204, "text/html", "recommendations", ""),
	}
	s := open(t, func(shop http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if handle, ok := broken[r.URL.Path]; ok {
				handle(w, r)
				return
			}
			shop.ServeHTTP(w, r)
		})
	})
	t.Cleanup(func() { close(release) })
	_, err := s.DB.Writer().Exec(`UPDATE products SET active = 1`)
	must(t, err)
	b := s.browse(t)
	for _, id := range strings.Split("123456789", "") {
		start := time.Now()
		b.open("/p/" + id)
		b.until(`document.querySelector("[data-place]") && document.querySelector("[data-place]").hidden`)
		b.shows("Reviews")
		b.until(`document.querySelector(".buy button")`)
		if text := b.text(); strings.Contains(text, "BROKEN") || strings.Contains(text, "goes well with it") {
			t.Errorf("product %s shows the broken answer: %s", id, text)
		}
		if took := time.Since(start); id == "2" && took < 2*time.Second {
			t.Errorf("the slow answer was given up after %s", took)
		}
		for _, said := range b.complained() {
			if strings.Contains(said, "Content Security Policy") || strings.Contains(said, "Uncaught") {
				t.Errorf("product %s: %s", id, said)
			}
		}
	}
	b.open("/p/10") // the way it should be
	b.until(`document.querySelector("section.recommendations[data-fragment=recommendations] a")`)
	b.quiet()
}

func answer(status int, kind, fragment, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		if fragment != "" {
			w.Header().Set("X-Fragment", fragment)
		}
		w.WriteHeader(status)
		if status != http.StatusNoContent {
			w.Write([]byte(body)) //nolint:errcheck // the browser is gone
		}
	}
}

// TestLateAnswerShowsByItself waits on the order page until the bank has answered.
func TestLateAnswerShowsByItself(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	b := s.browse(t)
	b.open("/login?next=/p/1")
	_, err := s.DB.Writer().Exec(`UPDATE products SET stock_qty = 50 WHERE id = 1; UPDATE stock_items SET on_hand = reserved + 50 WHERE product_id = 1`)
	must(t, err)
	b.write("#email", "ada@shop.example")
	b.write("#password", "ada-password")
	b.press("main form button")
	b.shows("Add to cart")
	b.press(".buy button")
	b.shows("Added to your cart.")
	b.open("/checkout")
	b.shows("Where to")
	b.shoot("17-checkout-known-address")
	b.press(`input[value="new"]`)
	b.until(`document.querySelector("#street").checkVisibility() && document.querySelector("#summary").innerText.includes("United States")`)
	b.press(`[name="address_id"]`)
	b.until(`!document.querySelector("#street").checkVisibility() && !document.querySelector("#summary").innerText.includes("United States")`)
	b.write("#card_number", lateCard)
	b.press("#pay")
	b.shows("The bank has not answered about your payment yet")
	b.shoot("18-waiting")
	b.until(`document.querySelector(".status.paid")`)
	b.until(`!document.body.innerText.includes("has not answered about your payment")`)
	b.quiet()
}
