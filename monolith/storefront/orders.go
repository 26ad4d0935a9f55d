package storefront

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/catalog"
	"github.com/stranglerfig/toolkit/monolith/orders"
	"github.com/stranglerfig/toolkit/monolith/payments"
)

const ordersPerPage = 20

func isCode(err error, code string) bool {
	var p *web.Problem
	return errors.As(err, &p) && p.Code == code
}

// paymentFlash names the message for an order whose payment has just been tried.
func paymentFlash(order, payment string) string {
	switch {
	case order != orders.Pending:
		return "paid"
	case payment == payments.Declined:
		return "declined"
	}
	return "waiting"
}

type historyPage struct {
	List   web.Page[orders.Order]
	Bought map[int64][]orders.Bought // by order
	Pages  []pageLink
}

func (s *shop) history(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), userID(r)
	paging, err := web.PagingOf(r, ordersPerPage)
	if err != nil {
		return err
	}
	page := historyPage{Bought: map[int64][]orders.Bought{}}
	if page.List, err = s.Orders.List(ctx, id, paging); err != nil {
		return err
	}
	bought, err := s.Orders.History(ctx, id, paging)
	if err != nil {
		return err
	}
	for _, b := range bought {
		page.Bought[b.OrderID] = append(page.Bought[b.OrderID], b)
	}
	page.Pages = pageLinks("/orders", nil, page.List.Page, page.List.Pages)
	return s.show(w, r, http.StatusOK, "orders", view{Title: "Your orders", Page: page})
}

type orderPage struct {
	Order     orders.Order
	Goods     map[int64]catalog.Managed // by product
	Events    []orders.Event
	Steps     []step
	Waiting   bool // for the bank's answer
	Failed    *payments.Attempt
	MayPay    bool
	MayCancel bool
	MayReturn bool
}

// A step is a state on the way of an order.
type step struct {
	Name string
	Done bool
}

func (s *shop) showOrder(w http.ResponseWriter, r *http.Request) error {
	v, err := s.orderView(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "order", v)
}

func (s *shop) orderView(r *http.Request) (view, error) {
	ctx, user := r.Context(), userID(r)
	id, err := web.ID(r, "id")
	if err != nil {
		return view{}, err
	}
	page := orderPage{Goods: map[int64]catalog.Managed{}}
	if page.Order, err = s.Orders.Order(ctx, id, user); err != nil {
		return view{}, err
	}
	if page.Events, err = s.Orders.Events(ctx, id, user); err != nil {
		return view{}, err
	}
	payment, err := s.Payments.Payment(ctx, page.Order.Payment.ID, user)
	if err != nil {
		return view{}, err
	}
	page.state(payment)
	for _, l := range page.Order.Lines {
		if page.Goods[l.ProductID], err = s.Catalog.Managed(ctx, l.ProductID); err != nil {
			return view{}, err
		}
	}
	return view{Title: fmt.Sprintf("Order #%d", id), Page: page}, nil
}

// state works out how far the order is and what its owner can do.
func (p *orderPage) state(payment payments.Payment) {
	way := []string{orders.Pending, orders.Paid, orders.Packed, orders.Shipped, orders.Delivered}
	if at := slices.Index(way, p.Order.Status); at >= 0 {
		for i, name := range []string{"Placed", "Paid", "Packed", "Shipped", "Delivered"} {
			p.Steps = append(p.Steps, step{Name: name, Done: i <= at})
		}
		p.MayCancel = at <= slices.Index(way, orders.Packed)
	}
	p.MayReturn = p.Order.Status == orders.Delivered
	if p.Order.Status != orders.Pending || len(payment.Attempts) == 0 {
		return
	}
	last := payment.Attempts[len(payment.Attempts)-1]
	p.Waiting = last.Status == payments.Started
	p.MayPay = !p.Waiting
	if p.MayPay {
		p.Failed = &last
	}
}

func (s *shop) pay(w http.ResponseWriter, r *http.Request) error {
	return s.changeOrder(w, r, func(o orders.Order) (string, error) {
		payment, err := s.Payments.Confirm(r.Context(), o.Payment.ID, userID(r), payments.Card{Number: cardDigits(r.PostForm)})
		if err != nil {
			return "", err
		}
		switch payment.Status {
		case payments.Accepted:
			return "paid", nil
		case payments.Declined:
			return "declined_again", nil
		}
		return "waiting", nil
	})
}

func (s *shop) cancel(w http.ResponseWriter, r *http.Request) error {
	return s.changeOrder(w, r, func(o orders.Order) (string, error) {
		_, err := s.Orders.Cancel(r.Context(), o.ID, userID(r))
		return "cancelled", err
	})
}

func (s *shop) sendBack(w http.ResponseWriter, r *http.Request) error {
	return s.changeOrder(w, r, func(o orders.Order) (string, error) {
		_, err := s.Orders.Return(r.Context(), o.ID, userID(r), "")
		return "returned", err
	})
}

// changeOrder changes an order of the user's and shows it with the message that
// change names, or with what was wrong.
func (s *shop) changeOrder(w http.ResponseWriter, r *http.Request, change func(orders.Order) (string, error)) error {
	id, err := web.ID(r, "id")
	if err != nil {
		return err
	}
	order, err := s.Orders.Order(r.Context(), id, userID(r))
	if err != nil {
		return err
	}
	message, err := change(order)
	if err != nil {
		v, viewErr := s.orderView(r)
		if viewErr != nil {
			return viewErr
		}
		return s.again(w, r, err, "order", v)
	}
	setFlash(w, r, message)
	seeOther(w, r, fmt.Sprintf("/orders/%d", id))
	return nil
}
