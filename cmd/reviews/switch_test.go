package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	sides "github.com/stranglerfig/toolkit/internal/owner"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

func background(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// brokenReviews are the shop's rules about reviews that do not hold. Its orders are made
// past the checkout, so others do not either.
func (p *pair) brokenReviews(ctx context.Context) []string {
	return slices.DeleteFunc(monolith.CheckInvariants(ctx, p.DB), func(rule string) bool {
		return !strings.Contains(rule, "review") && !strings.Contains(rule, "foreign key") && !strings.Contains(rule, "whole")
	})
}

// TestSwitchUnderLoad moves the reviews there and back while customers write reviews at
// the monolith, which knows nothing beforehand and is not restarted: each of them gets
// a 201, and every acknowledged review is there once, whoever owns them at the end.
func TestSwitchUnderLoad(t *testing.T) {
	t.Parallel()
	const buyers, products, switches = 4, 30, 8
	p := newPair(t)
	p.run(t)
	background(t, p.Reviews.Run)
	var ids []int64
	for i := range products {
		ids = append(ids, p.Product(p.category, fmt.Sprint("Tea ", i), 500, 10))
	}
	var customers []*testkit.Client
	for range buyers {
		customers = append(customers, p.buyer("Ada", ids...))
	}
	var mu sync.Mutex
	ledger := map[int64]int64{} // acknowledged reviews, and their products
	half := make(chan struct{})
	var writers sync.WaitGroup
	for n, c := range customers {
		writers.Go(func() {
			for i, id := range ids {
				a, err := send(t.Context(), c, "POST", p.shop.url+reviewsOf(id), body{"rating": 1 + (n+i)%5, "title": "x"})
				var review struct{ ID int64 }
				if err == nil {
					err = json.Unmarshal([]byte(a.body), &review)
				}
				if err != nil || a.status != http.StatusCreated {
					t.Errorf("status %d, %v: %s", a.status, err, a.body)
					return
				}
				mu.Lock()
				if _, twice := ledger[review.ID]; twice {
					t.Errorf("review %d was written twice", review.ID)
				}
				ledger[review.ID] = id
				mu.Unlock()
				if n == 0 && i == products/2 {
					close(half)
				}
			}
		})
	}
	for epoch := 1; epoch <= switches; epoch++ {
		side := sides.Source
		if epoch%2 == 1 {
			side = sides.Target
		}
		p.move(t, side, epoch)
		if epoch == switches/2 {
			<-half // so that there is something to write until the end
		}
	}
	writers.Wait()
	if len(ledger) != buyers*products {
		t.Fatalf("%d reviews were acknowledged, want %d", len(ledger), buyers*products)
	}
	if n := p.Count(`SELECT count(*) FROM reviews`); n != buyers*products {
		t.Errorf("the shop owns %d reviews, %d were acknowledged", n, len(ledger))
	}
	for id, product := range ledger {
		if n := p.Count(`SELECT count(*) FROM reviews WHERE id = ? AND product_id = ?`, id, product); n != 1 {
			t.Errorf("acknowledged review %d is %d times in the table", id, n)
		}
	}
	eventually(t, "all ratings are settled", func() bool { return len(p.brokenReviews(t.Context())) == 0 })
	eventually(t, "the audit log has each review", func() bool {
		return p.Count(`SELECT count(DISTINCT entity_id) FROM audit_log WHERE action = 'review.created'`) == buyers*products
	})
	if n := p.Count(`SELECT count(*) FROM audit_log WHERE action = 'review.created'`); n != buyers*products {
		t.Errorf("%d rows in the audit log", n)
	}
}
