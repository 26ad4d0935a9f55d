package recommendations

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/stranglerfig/toolkit/internal/web"
)

var fragment = template.Must(template.New("recommendations").Funcs(template.FuncMap{
	"money": func(cents int64) string { return fmt.Sprintf("$%d.%02d", cents/100, cents%100) },
}).Parse(`<section class="recommendations" data-fragment="recommendations">{{if .Items}}
<h2>Customers also bought</h2>
<ul class="cards">{{range .Items}}
<li><a href="/p/{{.ID}}"><img src="{{.ImageURL}}" alt="" loading="lazy"><span class="name">{{.Name}}</span><span class="price">{{money .PriceCents}}</span></a></li>{{end}}
</ul>{{end}}
</section>
`))

// answer sends the list as the fragment of a page or as JSON, as the client prefers.
func answer(w http.ResponseWriter, r *http.Request, list List) {
	w.Header().Add("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		web.JSON(w, http.StatusOK, list)
		return
	}
	var page bytes.Buffer
	if err := fragment.Execute(&page, list); err != nil {
		web.Fail(w, r, http.StatusInternalServerError, fmt.Errorf("fragment of product %d: %w", list.ProductID, err))
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-Fragment", "recommendations")
	w.Write(page.Bytes()) //nolint:errcheck // the client is gone
}
