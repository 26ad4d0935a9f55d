// Package payments takes the money for orders through a provider and gives it back.
// It promises that an order is never charged twice, whatever is lost, late or killed
// on the way: every try has a name of its own at the provider, a new try begins only
// once the last one is settled, and a try without an answer is first forbidden at
// the provider and only then called failed. It never keeps a card's number.
package payments

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// The statuses of a payment. An attempt has also Started, Timeout and Reversed.
const (
	Pending   = "pending"
	Accepted  = "accepted"
	Declined  = "declined"
	Cancelled = "cancelled"
	Refunded  = "refunded"
	Started   = "started"
	Timeout   = "timeout"
	Reversed  = "reversed"
)

// A Payment is what one order owes and how it went.
type Payment struct {
	ID            int64     `db:"id" json:"id"`
	OrderID       int64     `db:"order_id" json:"order_id"`
	AmountCents   int64     `db:"amount_cents" json:"amount_cents"`
	RefundedCents int64     `db:"refunded_cents" json:"refunded_cents"`
	Status        string    `db:"status" json:"status"`
	Attempts      []Attempt `db:"-" json:"attempts"`
}

// An Attempt is one try to charge a card.
type Attempt struct {
	Ref       string          `db:"provider_ref" json:"provider_ref"` // its name at the provider
	CardLast4 string          `db:"card_last4" json:"card_last4"`
	Status    string          `db:"status" json:"status"`
	Reason    string          `db:"reason" json:"reason"`
	CreatedAt instant.Instant `db:"created_at" json:"created_at"`
}

// A Refund is money that went back.
type Refund struct {
	ID          int64           `db:"id" json:"id"`
	PaymentID   int64           `db:"payment_id" json:"payment_id"`
	AmountCents int64           `db:"amount_cents" json:"amount_cents"`
	Reason      string          `db:"reason" json:"reason"`
	CreatedAt   instant.Instant `db:"created_at" json:"created_at"`
}

// A Charge is an attempt that is to be sent to the provider.
type Charge struct {
	PaymentID   int64
	Ref         string
	AmountCents int64
	Card        Card
}

// An Outcome is the provider's answer about one charge.
type Outcome struct {
	Status string `json:"status"` // Accepted, Declined, or Pending: the answer comes later
	Reason string `json:"reason,omitempty"`
}

// A Provider charges cards. Each method may be called again with the same arguments
// without another effect; an error means that the outcome is unknown.
type Provider interface {
	// Charge takes the amount, once for each ref.
	Charge(ctx context.Context, c Charge) (Outcome, error)
	// Lookup tells what became of a charge; ErrUnknownRef if it has not arrived.
	Lookup(ctx context.Context, ref string) (Outcome, error)
	// Forbid declines a charge that is undecided or has not arrived, for ever. The
	// outcome is Accepted if that came first.
	Forbid(ctx context.Context, ref string) (Outcome, error)
	// Reverse gives back until totalCents of the charge have been given back. If it is
	// undecided it is declined; if it was declined there is nothing to give back.
	Reverse(ctx context.Context, ref string, totalCents int64) error
}

// ErrUnknownRef reports a reference that names no charge.
var ErrUnknownRef = errors.New("there is no charge of that reference")

// A Card is the card a customer wants to pay with.
type Card struct {
	Number string `json:"number"`
}

// Last4 is what may be kept of the card.
func (c Card) Last4() string { return c.Number[max(0, len(c.Number)-4):] }

// Check names what is wrong with the card: its number must have 12 to 19 digits and
// a valid Luhn sum. Spaces are not part of a number.
func (c Card) Check() error {
	if len(c.Number) < 12 || len(c.Number) > 19 || strings.Trim(c.Number, "0123456789") != "" {
		return web.Invalid(web.Field{Name: "card.number", Message: "must have 12 to 19 digits"})
	}
	if !luhn(c.Number) {
		return web.Invalid(web.Field{Name: "card.number", Message: "is not a card number: a digit is wrong"})
	}
	return nil
}

func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d *= 2
			if d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func noPayment() error {
	return web.Problemf(http.StatusNotFound, "not_found", "there is no such payment")
}

func notPending(status string) error {
	return web.Problemf(http.StatusConflict, "order_not_pending", "the order is %s: there is nothing to pay", status)
}

func tooMuch(left int64) error {
	return web.Invalid(web.Field{Name: "amount_cents", Message: fmt.Sprintf("must be from 1 to the %d cents that are left", left)})
}
