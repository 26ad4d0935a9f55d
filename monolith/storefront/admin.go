package storefront

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/admin"
	"github.com/stranglerfig/toolkit/monolith/catalog"
	"github.com/stranglerfig/toolkit/monolith/inventory"
)

const rowsPerPage = 25

func (s *shop) dashboard(w http.ResponseWriter, r *http.Request) error {
	board, err := s.Admin.Dashboard(r.Context())
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "admin", view{Title: "Administration", Page: dashboardPage{board, admin.Statuses()}})
}

type dashboardPage struct {
	admin.Dashboard
	Statuses []string
}

type adminProductsPage struct {
	List   web.Page[catalog.ManagedSummary]
	Pages  []pageLink
	Query  string
	Params url.Values // of this list, for the forms on it
}

func (s *shop) adminProducts(w http.ResponseWriter, r *http.Request) error {
	v, err := s.adminProductsView(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "admin_products", v)
}

func (s *shop) adminProductsView(r *http.Request) (view, error) {
	paging, err := web.PagingOf(r, rowsPerPage)
	if err != nil {
		return view{}, err
	}
	page := adminProductsPage{Query: r.URL.Query().Get("q"), Params: listParams(r)}
	if page.List, err = s.Catalog.ManagedList(r.Context(), page.Query, paging); err != nil {
		return view{}, err
	}
	page.Pages = pageLinks("/admin/products", page.Params, page.List.Page, page.List.Pages)
	return view{Title: "Products", Page: page}, nil
}

// listParams are the parts of the query that name a list and its page.
func listParams(r *http.Request) url.Values {
	params := url.Values{}
	for _, name := range []string{"q", "status", "page"} {
		if value := r.URL.Query().Get(name); value != "" {
			params.Set(name, value)
		}
	}
	return params
}

func (s *shop) adjustStock(w http.ResponseWriter, r *http.Request) error {
	id, err := web.ID(r, "id")
	if err != nil {
		return err
	}
	delta, err := number(r.PostForm, "delta")
	if err == nil {
		_, err = s.Inventory.Adjust(r.Context(), id, inventory.Correction{Delta: int(delta), Note: r.PostForm.Get("note")})
	}
	if err != nil {
		v, viewErr := s.adminProductsView(r)
		if viewErr != nil {
			return viewErr
		}
		return s.again(w, r, err, "admin_products", v)
	}
	setFlash(w, r, "stock")
	seeOther(w, r, link("/admin/products", listParams(r)))
	return nil
}

type adminOrdersPage struct {
	List     web.Page[admin.Order]
	Pages    []pageLink
	Status   string
	Statuses []string
	Params   url.Values // of this list, for the forms on it
}

func (s *shop) adminOrders(w http.ResponseWriter, r *http.Request) error {
	v, err := s.adminOrdersView(r)
	if err != nil {
		return err
	}
	return s.show(w, r, http.StatusOK, "admin_orders", v)
}

func (s *shop) adminOrdersView(r *http.Request) (view, error) {
	paging, err := web.PagingOf(r, rowsPerPage)
	if err != nil {
		return view{}, err
	}
	page := adminOrdersPage{Status: r.URL.Query().Get("status"), Statuses: admin.Statuses(), Params: listParams(r)}
	if page.List, err = s.Admin.Orders(r.Context(), page.Status, paging); err != nil {
		return view{}, err
	}
	page.Pages = pageLinks("/admin/orders", page.Params, page.List.Page, page.List.Pages)
	return view{Title: "Orders", Page: page}, nil
}

func (s *shop) pack(w http.ResponseWriter, r *http.Request) error {
	return s.moveOrder(w, r, "order_packed", func(id int64) error {
		_, err := s.Orders.Pack(r.Context(), userID(r), id)
		return err
	})
}

func (s *shop) ship(w http.ResponseWriter, r *http.Request) error {
	return s.moveOrder(w, r, "order_shipped", func(id int64) error {
		_, err := s.Orders.Ship(r.Context(), userID(r), id, r.PostForm.Get("carrier"), r.PostForm.Get("tracking"))
		return err
	})
}

func (s *shop) deliver(w http.ResponseWriter, r *http.Request) error {
	return s.moveOrder(w, r, "order_arrived", func(id int64) error {
		_, err := s.Orders.Deliver(r.Context(), userID(r), id)
		return err
	})
}

// moveOrder takes the order of the path to its next state and shows the list again.
func (s *shop) moveOrder(w http.ResponseWriter, r *http.Request, message string, move func(id int64) error) error {
	id, err := web.ID(r, "id")
	if err != nil {
		return err
	}
	if err := move(id); err != nil {
		v, viewErr := s.adminOrdersView(r)
		if viewErr != nil {
			return viewErr
		}
		return s.again(w, r, err, "admin_orders", v)
	}
	setFlash(w, r, message)
	seeOther(w, r, fmt.Sprintf("%s#order-%d", link("/admin/orders", listParams(r)), id))
	return nil
}
