// Package recommendations knows what else a customer may like: what others bought
// together with a product, then what is looked at most in its category.
//
// It counts the views of products in memory and writes them once a second: a kill
// loses at most that second. Everything else it reads from the tables of orders
// and the catalog; what it remembers, it drops as soon as they change.
package recommendations

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"

	"github.com/stranglerfig/toolkit/internal/web"
)

// ErrNoProduct reports a product that is unknown or inactive.
var ErrNoProduct error = web.Problemf(http.StatusNotFound, "not_found", "no such product")

// DefaultLimit and MaxLimit bound how many products are recommended.
const (
	DefaultLimit = 6
	MaxLimit     = 12
)

// viewDays is how many days of views count, today included.
const viewDays = 30

// Why an item is recommended, and so what its score counts.
const (
	BoughtTogether = "bought_together" // score: orders that hold both
	SameCategory   = "same_category"   // score: views of the last 30 days
)

// An Item is one recommended product.
type Item struct {
	ID         int64  `db:"id" json:"id"`
	Name       string `db:"name" json:"name"`
	PriceCents int64  `db:"price_cents" json:"price_cents"`
	ImageURL   string `db:"image_url" json:"image_url"`
	Score      int64  `db:"score" json:"score"`
	Reason     string `db:"reason" json:"reason"`
}

// A List holds what is recommended to who looks at a product, best first.
type List struct {
	ProductID int64  `json:"product_id"`
	Items     []Item `json:"items"`
}

// fragment is the list as a part of a page. With no items the section is empty, so
// that a page can hide it.
var fragment = template.Must(template.New("recommendations").Funcs(template.FuncMap{
	"money": func(cents int64) string { return fmt.Sprintf("$%d.%02d", cents/100, cents%100) },
}).Parse(`<section class="recommendations" data-fragment="recommendations">{{if .Items}}
<h2>Customers also bought</h2>
<ul class="cards">{{range .Items}}
<li><article class="card">{{with .ImageURL}}<img src="{{.}}" alt="" width="400" height="400" loading="lazy">{{end}}<div class="card-text"><h3><a href="/p/{{.ID}}">{{.Name}}</a></h3><span class="price">{{money .PriceCents}}</span></div></article></li>{{end}}
</ul>
{{end}}</section>
`))

// HTML returns the list as a fragment of a page.
func (l List) HTML() (template.HTML, error) {
	var out bytes.Buffer
	if err := fragment.Execute(&out, l); err != nil {
		return "", fmt.Errorf("render recommendations of product %d: %w", l.ProductID, err)
	}
	return template.HTML(out.String()), nil //nolint:gosec // made by the template above
}
