package catalog

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Bug is a fault that the service shows on purpose, to rehearse what the rest of
// the shop does about it.
type Bug string

// The bugs there are.
const (
	BugPrice Bug = "catalog-price" // each price is one cent too high
	BugSlow  Bug = "catalog-slow"  // each answer takes five seconds longer
	BugOrder Bug = "catalog-order" // each page of products is the wrong way round
)

// Bugs lists them all.
func Bugs() []Bug { return []Bug{BugPrice, BugSlow, BugOrder} }

const slowness = 5 * time.Second

// ParseBug returns the Bug named text; the empty text is none. Names of bugs that
// other programs have are none here, so that one setting may serve all programs.
func ParseBug(text string) (Bug, error) {
	bug := Bug(text)
	if text == "" || slices.Contains(Bugs(), bug) {
		return bug, nil
	}
	if !strings.HasPrefix(text, "catalog-") {
		return "", nil
	}
	return "", fmt.Errorf("unknown bug %q", text)
}

// rehearse makes next slow under the bug slow.
func (b Bug) rehearse(next http.HandlerFunc) http.HandlerFunc {
	if b != BugSlow {
		return next
	}
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(slowness):
			next(w, r)
		case <-r.Context().Done():
		}
	}
}

// spoil changes a product as the bug price does.
func (b Bug) spoil(s *Summary) {
	if b == BugPrice {
		s.PriceCents++
	}
}

// spoilPage changes a page of products as the bugs price and order do.
func (b Bug) spoilPage(items []Summary) {
	for i := range items {
		b.spoil(&items[i])
	}
	if b == BugOrder {
		slices.Reverse(items)
	}
}
