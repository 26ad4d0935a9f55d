package acceptance_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// confirm tries another card for the payment of an order.
func (c *customer) confirm(t *testing.T, o order, card string) *answer {
	t.Helper()
	return c.post(t, fmt.Sprintf("/api/payments/%d/confirm", o.payment), object{"card": object{"number": card}})
}

// attempts returns the tries of a payment, oldest first.
func (c *customer) attempts(t *testing.T, o order) []object {
	t.Helper()
	list, ok := c.payment(t, o)["attempts"].([]any)
	if !ok {
		t.Fatal("the payment has no list of attempts")
	}
	out := make([]object, len(list))
	for i, a := range list {
		out[i] = a.(map[string]any)
	}
	slices.SortStableFunc(out, func(a, b object) int {
		return strings.Compare(a.text(t, "created_at"), b.text(t, "created_at"))
	})
	return out
}

func TestDeclinedPayment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ card, reason, last4 string }{
		{declinedCard, "card_declined", "0002"},
		{poorCard, "insufficient_funds", "9995"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			buyer, p := signUp(t), newProduct(t)
			o := buyer.buy(t, c.card, line{p, 2})
			if o.body["status"] != "pending" || o.body.at(t, "payment")["status"] != "declined" {
				t.Fatalf("order %v, payment %v; want pending, declined", o.body["status"], o.body["payment"])
			}
			payment := buyer.payment(t, o)
			payment.has(t, "payment", "id", "order_id", "amount_cents", "refunded_cents", "status", "attempts")
			if payment["amount_cents"] != o.body["total_cents"] || payment.int(t, "order_id") != o.id || payment.int(t, "refunded_cents") != 0 {
				t.Errorf("payment is %v", payment)
			}
			first := buyer.attempts(t, o)[0]
			first.has(t, "attempt", "provider_ref", "card_last4", "status", "reason", "created_at")
			if first["card_last4"] != c.last4 || first["status"] != "declined" || first["reason"] != c.reason {
				t.Errorf("attempt is %v", first)
			}
			if n := available(t, p); n != 8 {
				t.Errorf("%d available while the order waits, want 8", n)
			}
			if me := buyer.get(t, "/api/me").object(); me.int(t, "lifetime_value_cents") != 0 {
				t.Errorf("lifetime value %v before payment", me["lifetime_value_cents"])
			}

			if again := buyer.confirm(t, o, declinedCard).want(200).object(); again["status"] != "declined" {
				t.Errorf("second try: %v", again["status"])
			}
			if paid := buyer.confirm(t, o, goodCard).want(200).object(); paid["status"] != "accepted" {
				t.Errorf("third try: %v", paid["status"])
			}
			if got := buyer.order(t, o).text(t, "status"); got != "paid" {
				t.Errorf("the order is %s, want paid", got)
			}
			if n := len(buyer.attempts(t, o)); n != 3 {
				t.Errorf("%d attempts, want 3", n)
			}
			buyer.confirm(t, o, goodCard).fails(409, "order_not_pending")
			if n := available(t, p); n != 8 {
				t.Errorf("%d available after payment, want 8", n)
			}
		})
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	t.Run("at once charges once", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, declinedCard, line{newProduct(t), 1})
		path, body := fmt.Sprintf("/api/payments/%d/confirm", o.payment), object{"card": object{"number": goodCard}}
		got := atOnce(t, 8, func(int) (*answer, error) { return buyer.send(t.Context(), t.Name(), "POST", path, body) })
		if got[200] != 1 || got[409] != 7 {
			t.Errorf("statuses %v, want one 200 and seven 409", got)
		}
		accepted := 0
		for _, a := range buyer.attempts(t, o) {
			if a["status"] == "accepted" {
				accepted++
			}
		}
		if accepted != 1 {
			t.Errorf("%d attempts were accepted, want 1", accepted)
		}
	})
	buyer := signUp(t)
	o := buyer.buy(t, declinedCard, line{newProduct(t), 1})
	path := fmt.Sprintf("/api/payments/%d/confirm", o.payment)
	refuse(t, buyer.client, []refusal{
		{"a bad card", "POST", path, object{"card": object{"number": "1234"}}, 422, "invalid", nil},
		{"no card", "POST", path, object{}, 422, "invalid", nil},
		{"an unknown payment", "POST", "/api/payments/999999999/confirm", object{"card": object{"number": goodCard}}, 404, "not_found", nil},
		{"reading an unknown payment", "GET", "/api/payments/999999999", nil, 404, "not_found", nil},
	})
}

func TestLatePayment(t *testing.T) {
	t.Parallel()
	late := func(t *testing.T, card string) (*customer, order) {
		t.Helper()
		buyer := signUp(t)
		o := buyer.buy(t, card, line{newProduct(t), 1})
		if o.body["status"] != "pending" || o.body.at(t, "payment")["status"] != "pending" {
			t.Fatalf("order %v, payment %v; want both pending", o.body["status"], o.body["payment"])
		}
		return buyer, o
	}
	attemptBecomes := func(t *testing.T, buyer *customer, o order, status string) {
		t.Helper()
		eventually(t, providerPatience, func() error {
			if got := buyer.attempts(t, o)[0]["status"]; got != status {
				return fmt.Errorf("the attempt is %v, want %s", got, status)
			}
			return nil
		})
	}
	t.Run("accepted", func(t *testing.T) {
		t.Parallel()
		buyer, o := late(t, lateAcceptCard)
		buyer.becomes(t, o, "paid")
		if payment := buyer.payment(t, o); payment["status"] != "accepted" {
			t.Errorf("payment is %v", payment["status"])
		}
	})
	t.Run("declined", func(t *testing.T) {
		t.Parallel()
		buyer, o := late(t, lateDeclineCard)
		attemptBecomes(t, buyer, o, "declined")
		if payment, body := buyer.payment(t, o), buyer.order(t, o); payment["status"] != "declined" || body["status"] != "pending" {
			t.Errorf("payment %v, order %v; want declined, pending", payment["status"], body["status"])
		}
		buyer.confirm(t, o, goodCard).want(200)
		buyer.becomes(t, o, "paid")
	})
	t.Run("never answered", func(t *testing.T) {
		t.Parallel()
		buyer, o := late(t, silentCard)
		buyer.confirm(t, o, goodCard).fails(409, "payment_in_progress")
		attemptBecomes(t, buyer, o, "timeout")
		if paid := buyer.confirm(t, o, goodCard).want(200).object(); paid["status"] != "accepted" {
			t.Errorf("payment is %v", paid["status"])
		}
		buyer.becomes(t, o, "paid")
	})
	t.Run("accepted after the cancellation", func(t *testing.T) {
		t.Parallel()
		buyer, o := late(t, lateAcceptCard)
		buyer.post(t, o.path("/cancel"), nil).want(200)
		for try := 1; buyer.payment(t, o)["status"] == "refunded" && try < 5; try++ { // the answer came first: once more
			buyer, o = late(t, lateAcceptCard)
			buyer.post(t, o.path("/cancel"), nil).want(200)
		}
		attemptBecomes(t, buyer, o, "reversed")
		if got := buyer.order(t, o).text(t, "status"); got != "cancelled" {
			t.Errorf("the order is %s, want cancelled", got)
		}
		if me := buyer.get(t, "/api/me").object(); me.int(t, "lifetime_value_cents") != 0 {
			t.Errorf("lifetime value %v, want 0", me["lifetime_value_cents"])
		}
	})
}

// webhook delivers the provider's answer, signed with the secret.
func webhook(t *testing.T, body any) *answer {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return guest().post(t, "/api/payments/webhook", string(data), header{"X-Signature": sign(string(data))})
}

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	paidEvents := func(t *testing.T, buyer *customer) (n int) {
		t.Helper()
		for _, o := range buyer.get(t, "/api/notifications?per_page=100").items() {
			if o["kind"] == "order_paid" {
				n++
			}
		}
		return n
	}
	t.Run("pays, once", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, silentCard, line{newProduct(t), 1})
		body := object{"provider_ref": buyer.attempts(t, o)[0].text(t, "provider_ref"), "outcome": "accepted"}
		webhook(t, body).want(204)
		if got := buyer.order(t, o).text(t, "status"); got != "paid" {
			t.Errorf("the order is %s, want paid", got)
		}
		value := buyer.get(t, "/api/me").object()["lifetime_value_cents"]
		webhook(t, body).want(204)
		webhook(t, object{"provider_ref": body["provider_ref"], "outcome": "declined", "reason": "card_declined"})
		if got := buyer.order(t, o).text(t, "status"); got != "paid" {
			t.Errorf("after more deliveries the order is %s, want paid", got)
		}
		if n := paidEvents(t, buyer); n != 1 {
			t.Errorf("%d notifications order_paid, want 1", n)
		}
		if again := buyer.get(t, "/api/me").object()["lifetime_value_cents"]; again != value || again != o.body["total_cents"] {
			t.Errorf("lifetime value %v, then %v; want %v", value, again, o.body["total_cents"])
		}
	})
	t.Run("pays once when delivered ten times at once", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, silentCard, line{newProduct(t), 1})
		body := fmt.Sprintf(`{"provider_ref": %q, "outcome": "accepted"}`, buyer.attempts(t, o)[0]["provider_ref"])
		got := atOnce(t, 10, func(int) (*answer, error) {
			return guest().send(t.Context(), t.Name(), "POST", "/api/payments/webhook", body, header{"X-Signature": sign(body)})
		})
		if got[204] != 10 {
			t.Errorf("statuses %v, want ten 204", got)
		}
		if n := paidEvents(t, buyer); n != 1 {
			t.Errorf("%d notifications order_paid, want 1", n)
		}
	})
	t.Run("declines", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, silentCard, line{newProduct(t), 1})
		webhook(t, object{"provider_ref": buyer.attempts(t, o)[0].text(t, "provider_ref"), "outcome": "declined", "reason": "card_declined"}).want(204)
		if payment := buyer.payment(t, o); payment["status"] != "declined" {
			t.Errorf("payment is %v", payment["status"])
		}
		buyer.confirm(t, o, goodCard).want(200)
	})
}

func TestWebhookRefused(t *testing.T) {
	t.Parallel()
	t.Run("needs the signature", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, declinedCard, line{newProduct(t), 1})
		body := fmt.Sprintf(`{"provider_ref": %q, "outcome": "accepted"}`, buyer.attempts(t, o)[0]["provider_ref"])
		for _, signature := range []string{"", "00", sign("{}"), sign(body)[:63] + "x"} {
			guest().post(t, "/api/payments/webhook", body, header{"X-Signature": signature}).fails(401, "unauthenticated")
		}
		if got := buyer.order(t, o).text(t, "status"); got != "pending" {
			t.Errorf("the order is %s, want pending", got)
		}
	})
	t.Run("of an unknown reference", func(t *testing.T) {
		t.Parallel()
		webhook(t, object{"provider_ref": unique("nothing-"), "outcome": "accepted"}).fails(404, "not_found")
	})
	t.Run("with an unknown outcome", func(t *testing.T) {
		t.Parallel()
		webhook(t, object{"provider_ref": unique("nothing-"), "outcome": "perhaps"}).fails(422, "invalid", "outcome")
	})
	t.Run("not JSON", func(t *testing.T) {
		t.Parallel()
		guest().post(t, "/api/payments/webhook", "hello", header{"X-Signature": sign("hello")}).fails(400, "malformed_json")
	})
}

// refund asks for money back as the administrator.
func refund(t *testing.T, o order, k string, amount any) *answer {
	t.Helper()
	return admin(t).post(t, fmt.Sprintf("/api/payments/%d/refunds", o.payment), object{"amount_cents": amount, "reason": "goodwill"}, key(k))
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	o := buyer.buy(t, goodCard, line{newProduct(t, object{"price_cents": 5000}), 1})
	total := o.body.int(t, "total_cents")

	first := refund(t, o, "a", 1000).want(201)
	t.Run("in part", func(t *testing.T) {
		if first.header.Get("Location") == "" {
			t.Error("no Location")
		}
		r := first.object()
		r.has(t, "refund", "id", "payment_id", "amount_cents", "reason", "created_at")
		if r.int(t, "amount_cents") != 1000 || r.int(t, "payment_id") != o.payment || r["reason"] != "goodwill" {
			t.Errorf("refund is %v", r)
		}
		if payment, body := buyer.payment(t, o), buyer.order(t, o); payment.int(t, "refunded_cents") != 1000 || body["status"] != "paid" {
			t.Errorf("refunded %v, order %v", payment["refunded_cents"], body["status"])
		}
		if me := buyer.get(t, "/api/me").object(); me.int(t, "lifetime_value_cents") != total-1000 {
			t.Errorf("lifetime value %v, want %d", me["lifetime_value_cents"], total-1000)
		}
	})
	t.Run("the same again", func(t *testing.T) {
		if again := refund(t, o, "a", 1000).want(200).object(); again["id"] != first.object()["id"] {
			t.Errorf("a second refund %v", again)
		}
		refund(t, o, "a", 999).fails(409, "idempotency_key_reused")
		if payment := buyer.payment(t, o); payment.int(t, "refunded_cents") != 1000 {
			t.Errorf("refunded %v, want 1000", payment["refunded_cents"])
		}
	})
	t.Run("refused", func(t *testing.T) {
		refund(t, o, "b", total-1000+1).fails(422, "invalid", "amount_cents")
		refund(t, o, "c", 0).fails(422, "invalid", "amount_cents")
		refund(t, o, "d", -5).fails(422, "invalid", "amount_cents")
		refund(t, o, "", 5).fails(400, "bad_request")
		admin(t).post(t, "/api/payments/999999999/refunds", object{"amount_cents": 5}, key("e")).fails(404, "not_found")
	})
	t.Run("the rest makes it refunded", func(t *testing.T) {
		refund(t, o, "rest", total-1000).want(201)
		payment, body := buyer.payment(t, o), buyer.order(t, o)
		if payment.int(t, "refunded_cents") != total || payment["status"] != "refunded" || body["status"] != "refunded" {
			t.Errorf("payment %v, order %v", payment, body["status"])
		}
		refund(t, o, "more", 1).refusedByRule()
	})
}

func TestRefundsAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("20 times at once make one", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, goodCard, line{newProduct(t), 1})
		path, body := fmt.Sprintf("/api/payments/%d/refunds", o.payment), object{"amount_cents": 100}
		got := atOnce(t, 20, func(int) (*answer, error) {
			return admin(t).send(t.Context(), t.Name(), "POST", path, body, key("once"))
		})
		if got[201] != 1 || got[200] != 19 {
			t.Errorf("statuses %v, want one 201 and nineteen 200", got)
		}
		if payment := buyer.payment(t, o); payment.int(t, "refunded_cents") != 100 {
			t.Errorf("refunded %v, want 100", payment["refunded_cents"])
		}
	})
	t.Run("never above what was paid, all at once", func(t *testing.T) {
		t.Parallel()
		buyer := signUp(t)
		o := buyer.buy(t, goodCard, line{newProduct(t), 1})
		part := o.body.int(t, "total_cents")/3 + 1 // two fit, three do not
		path := fmt.Sprintf("/api/payments/%d/refunds", o.payment)
		got := atOnce(t, 6, func(i int) (*answer, error) {
			return admin(t).send(t.Context(), t.Name(), "POST", path, object{"amount_cents": part}, key(fmt.Sprint(i)))
		})
		if got[201] != 2 || got[422] != 4 {
			t.Errorf("statuses %v, want two 201 and four 422", got)
		}
	})
}

func TestRefundOfUnpaid(t *testing.T) {
	t.Parallel()
	buyer := signUp(t)
	o := buyer.buy(t, declinedCard, line{newProduct(t), 1})
	refund(t, o, "a", 1).refusedByRule()
}

// refusedByRule ends the test unless the request is refused as a conflict or as invalid.
func (a *answer) refusedByRule() {
	a.t.Helper()
	if a.status != 409 && a.status != 422 {
		a.t.Fatalf("%s: status %d, want 409 or 422: %s", a.call, a.status, a.excerpt())
	}
	a.fails(a.status, "")
}
