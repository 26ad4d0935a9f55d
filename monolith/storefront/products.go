package storefront

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"

	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/catalog"
	"github.com/stranglerfig/toolkit/monolith/identity"
	"github.com/stranglerfig/toolkit/monolith/recommendations"
	"github.com/stranglerfig/toolkit/monolith/reviews"
)

const (
	productsPerPage = 24
	reviewsPerPage  = 5
)

type homePage struct {
	Hero    bool
	Art     []string
	Heading string
	List    web.Page[catalog.Summary]
	Pages   []pageLink
	Params  url.Values
	Sort    string
	Sorts   []option
}

// An option of a select.
type option struct{ Value, Text string }

// sorts are the orders of a list, the one it begins with first.
func sorts() []option {
	return []option{
		{"rating", "Best rated"},
		{"newest", "Newest"},
		{"price", "Price: low to high"},
		{"-price", "Price: high to low"},
		{"name", "Name"},
	}
}

func (s *shop) home(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	paging, err := web.PagingOf(r, productsPerPage)
	if err != nil {
		return err
	}
	params := url.Values{"q": {query.Get("q")}, "category": {query.Get("category")}, "sort": {query.Get("sort")}}
	q := catalog.Query{
		Text: params.Get("q"), Category: params.Get("category"),
		Sort: cmp.Or(params.Get("sort"), sorts()[0].Value), Page: paging,
	}
	list, err := s.Catalog.List(r.Context(), q)
	if err != nil {
		return err
	}
	heading, err := s.heading(r, q)
	if err != nil {
		return err
	}
	page := homePage{
		Hero:    link("/", params) == "/" && paging.Page == 1, // the front door
		Heading: heading, List: list, Params: params, Sort: q.Sort, Sorts: sorts(),
		Pages: pageLinks("/", params, list.Page, list.Pages),
	}
	for i := 0; page.Hero && i < len(list.Items) && len(page.Art) < 3; i += 5 {
		page.Art = append(page.Art, list.Items[i].ImageURL)
	}
	title := heading
	if page.Hero {
		title = ""
	}
	return s.show(w, r, http.StatusOK, "home", view{
		Title: title, Category: q.Category, Query: q.Text, Live: true, Page: page,
	})
}

// heading says what the list holds.
func (s *shop) heading(r *http.Request, q catalog.Query) (string, error) {
	place := ""
	if q.Category != "" {
		categories, err := s.Catalog.Categories(r.Context())
		if err != nil {
			return "", err
		}
		for _, c := range categories {
			if c.Slug == q.Category {
				place = c.Name
			}
		}
	}
	switch {
	case q.Text != "" && place != "":
		return fmt.Sprintf("“%s” in %s", q.Text, place), nil
	case q.Text != "":
		return fmt.Sprintf("Results for “%s”", q.Text), nil
	case place != "":
		return place, nil
	}
	return "All products", nil
}

type productPage struct {
	Product         catalog.Product
	Images          []catalog.Image
	Recommendations template.HTML
	PlaceHolder     bool // the browser fetches the recommendations
	Reviews         reviews.Page
	ReviewsAway     bool // whoever keeps them does not answer
	ReviewPages     []pageLink
	WhyNoReview     string // empty: the user may
	Ratings         []int
}

func (s *shop) product(w http.ResponseWriter, r *http.Request) error {
	v, err := s.productView(r)
	if err != nil {
		return err
	}
	s.Recommendations.Viewed(v.Page.(productPage).Product.ID)
	return s.show(w, r, http.StatusOK, "product", v)
}

// productView is the page of the product that the path names.
func (s *shop) productView(r *http.Request) (view, error) {
	id, err := web.ID(r, "id")
	if err != nil {
		return view{}, err
	}
	return s.productViewOf(r, id)
}

func (s *shop) productViewOf(r *http.Request, id int64) (view, error) {
	ctx := r.Context()
	product, err := s.Catalog.Product(ctx, id)
	if err != nil {
		return view{}, err
	}
	paging, err := web.PagingOf(r, reviewsPerPage)
	if err != nil {
		return view{}, err
	}
	page := productPage{Product: product, Images: product.Images, PlaceHolder: true, Ratings: []int{5, 4, 3, 2, 1}}
	if len(page.Images) == 0 {
		page.Images = []catalog.Image{{}}
	}
	page.Reviews, err = s.Reviews.List(ctx, id, paging)
	if page.ReviewsAway = errors.Is(err, reviews.ErrAway); err != nil && !page.ReviewsAway {
		return view{}, err
	}
	address := fmt.Sprintf("/p/%d", id)
	for _, p := range pageLinks(address, nil, page.Reviews.Page.Page, page.Reviews.Pages) {
		p.Link += "#reviews"
		page.ReviewPages = append(page.ReviewPages, p)
	}
	if user, ok := identity.Current(ctx); ok && !page.ReviewsAway {
		if page.WhyNoReview, err = s.whyNoReview(ctx, id, user.ID); err != nil {
			return view{}, err
		}
	}
	if r.URL.Query().Get("recommendations") == "1" {
		page.PlaceHolder = false
		if page.Recommendations, err = s.recommended(ctx, id); err != nil {
			return view{}, err
		}
	}
	return view{Title: product.Name, Category: product.Category.Slug, Page: page}, nil
}

// whyNoReview says why a user may not review a product, or nothing.
func (s *shop) whyNoReview(ctx context.Context, product, user int64) (string, error) {
	err := s.Reviews.MayReview(ctx, product, user)
	var p *web.Problem
	if errors.As(err, &p) {
		return capital(p.Message) + ".", nil
	}
	return "", err
}

// recommended is the shop's own fragment, for who has no JavaScript.
func (s *shop) recommended(ctx context.Context, product int64) (template.HTML, error) {
	list, err := s.Recommendations.For(ctx, product, recommendations.DefaultLimit)
	if err != nil {
		return "", err
	}
	html, err := list.HTML()
	return html, err
}

func (s *shop) review(w http.ResponseWriter, r *http.Request) error {
	id, err := web.ID(r, "id")
	if err != nil {
		return err
	}
	user, _ := identity.Current(r.Context())
	draft := reviews.Draft{Title: r.PostForm.Get("title"), Body: r.PostForm.Get("body")}
	if rating, err := number(r.PostForm, "rating"); err == nil {
		draft.Rating = int(rating) // else it stays 0, which the store refuses
	}
	if _, err := s.Reviews.Create(r.Context(), id, user, draft); err != nil {
		v, viewErr := s.productView(r)
		if viewErr != nil {
			return viewErr
		}
		v.Form = r.PostForm
		return s.again(w, r, err, "product", v)
	}
	setFlash(w, r, "review")
	seeOther(w, r, fmt.Sprintf("/p/%d#reviews", id))
	return nil
}
