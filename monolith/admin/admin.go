// Package admin is the back office: what the shop's staff see across all domains at
// once. It reads every table by joining it, which no service will be able to do. It
// changes nothing.
package admin

import (
	"slices"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

var statuses = [...]string{"pending", "paid", "packed", "shipped", "delivered", "cancelled", "refunded"}

// Statuses returns the states of an order, in the order of its life.
func Statuses() []string { return slices.Clone(statuses[:]) }

// An Order is a line of the list of orders.
type Order struct {
	ID            int64           `db:"id" json:"id"`
	Status        string          `db:"status" json:"status"`
	TotalCents    int64           `db:"total_cents" json:"total_cents"`
	Pieces        int64           `db:"pieces" json:"pieces"`
	PaymentID     int64           `db:"payment_id" json:"payment_id"`
	PaymentStatus string          `db:"payment_status" json:"payment_status"`
	Customer      Customer        `db:"customer" json:"customer"`
	CreatedAt     instant.Instant `db:"created_at" json:"created_at"`
	UpdatedAt     instant.Instant `db:"updated_at" json:"updated_at"`
}

// A Customer is who ordered.
type Customer struct {
	ID    int64  `db:"id" json:"id"`
	Name  string `db:"name" json:"name"`
	Email string `db:"email" json:"email"`
}

// A Dashboard is the shop at a glance.
type Dashboard struct {
	OrdersByStatus       map[string]int64 `db:"-" json:"orders_by_status"`
	RevenueCents         int64            `db:"revenue_cents" json:"revenue_cents"` // paid and not given back
	OrdersToday          int64            `db:"orders_today" json:"orders_today"`   // since midnight UTC
	Customers            int64            `db:"customers" json:"customers"`
	Products             int64            `db:"products" json:"products"` // on sale
	LowStock             []LowStock       `db:"-" json:"low_stock"`       // the ten lowest
	TopProducts          []TopProduct     `db:"-" json:"top_products"`    // the ten best sold in 30 days
	AverageRating        float64          `db:"-" json:"average_rating"`
	PendingNotifications int64            `db:"pending_notifications" json:"pending_notifications"`
}

// A LowStock is a product that should be bought in.
type LowStock struct {
	ProductID    int64  `db:"product_id" json:"product_id"`
	SKU          string `db:"sku" json:"sku"`
	Name         string `db:"name" json:"name"`
	Available    int64  `db:"available" json:"available"`
	ReorderLevel int64  `db:"reorder_level" json:"reorder_level"`
}

// A TopProduct is one that sells.
type TopProduct struct {
	ProductID    int64  `db:"product_id" json:"product_id"`
	Name         string `db:"name" json:"name"`
	Sold         int64  `db:"sold" json:"sold"`
	RevenueCents int64  `db:"revenue_cents" json:"revenue_cents"`
}

// An Entry is a row of the audit log.
type Entry struct {
	ID        int64           `db:"id" json:"id"`
	ActorID   *int64          `db:"actor_id" json:"actor_id"` // nil: the shop itself
	Action    string          `db:"action" json:"action"`
	Entity    string          `db:"entity" json:"entity"`
	EntityID  string          `db:"entity_id" json:"entity_id"`
	Detail    string          `db:"detail" json:"detail"`
	CreatedAt instant.Instant `db:"created_at" json:"created_at"`
}

func checkStatus(status string) error {
	if status == "" || slices.Contains(statuses[:], status) {
		return nil
	}
	return web.Invalid(web.Field{Name: "status", Message: "must be a state of an order, such as paid"})
}
