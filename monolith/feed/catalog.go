package feed

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// A Category is a row of the catalog's categories.
type Category struct {
	ID       int64  `db:"id" json:"id"`
	Slug     string `db:"slug" json:"slug"`
	Name     string `db:"name" json:"name"`
	Position int64  `db:"position" json:"position"`
}

// A CatalogProduct is all that the catalog shows of a product, and with it what
// other domains say of it: its stock and its rating.
type CatalogProduct struct {
	ID          int64           `db:"id" json:"id"`
	SKU         string          `db:"sku" json:"sku"`
	Name        string          `db:"name" json:"name"`
	Description string          `db:"description" json:"description"`
	CategoryID  int64           `db:"category_id" json:"category_id"`
	PriceCents  int64           `db:"price_cents" json:"price_cents"`
	Active      bool            `db:"active" json:"active"`
	StockQty    int64           `db:"stock_qty" json:"stock_qty"`
	RatingAvg   float64         `db:"rating_avg" json:"rating_avg"`
	RatingCount int64           `db:"rating_count" json:"rating_count"`
	Version     int64           `db:"version" json:"version"`
	CreatedAt   instant.Instant `db:"created_at" json:"created_at"`
	UpdatedAt   instant.Instant `db:"updated_at" json:"updated_at"`
	Images      []Image         `db:"-" json:"images"`
	Tags        []string        `db:"-" json:"tags"`
}

// An Image is a picture of a product; they come in their order.
type Image struct {
	URL string `db:"url" json:"url"`
	Alt string `db:"alt" json:"alt"`
}

// A Rating is what all reviews of a product come to.
type Rating struct {
	ProductID   int64   `db:"product_id" json:"product_id"`
	RatingAvg   float64 `db:"rating_avg" json:"rating_avg"`
	RatingCount int64   `db:"rating_count" json:"rating_count"`
}

// A Reviewed says which product a review is about.
type Reviewed struct {
	ReviewID  int64 `db:"review_id" json:"review_id"`
	ProductID int64 `db:"product_id" json:"product_id"`
}

// Categories returns all categories by id.
func (s *Store) Categories(ctx context.Context) ([]Category, error) {
	list := []Category{}
	if err := s.db.SelectContext(ctx, &list, `
		SELECT id, slug, name, position
		FROM categories
		ORDER BY id`); err != nil {
		return nil, fmt.Errorf("list categories: %w", err)
	}
	return list, nil
}

const catalogColumns = `
	p.id, p.sku, p.name, p.description, p.category_id, p.price_cents, p.active,
	p.rating_avg, p.rating_count, p.version, p.created_at, p.updated_at,
	coalesce(i.on_hand - i.reserved, 0) AS stock_qty`

// CatalogProducts returns up to limit products, inactive ones too, with ids above
// after.
func (s *Store) CatalogProducts(ctx context.Context, after int64, limit int) ([]CatalogProduct, error) {
	list := []CatalogProduct{}
	err := s.snapshot(ctx, func(tx *sqlx.Tx) error {
		if err := tx.SelectContext(ctx, &list, `
			SELECT `+catalogColumns+`
			FROM products p
			LEFT JOIN stock_items i ON i.product_id = p.id
			WHERE p.id > ?
			ORDER BY p.id
			LIMIT ?`, after, limit); err != nil {
			return fmt.Errorf("list products of the catalog after %d: %w", after, err)
		}
		return addParts(ctx, tx, list)
	})
	return list, err
}

// CatalogProduct returns one product, active or not, or ErrNoProduct.
func (s *Store) CatalogProduct(ctx context.Context, id int64) (CatalogProduct, error) {
	list := make([]CatalogProduct, 1)
	err := s.snapshot(ctx, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &list[0], `
			SELECT `+catalogColumns+`
			FROM products p
			LEFT JOIN stock_items i ON i.product_id = p.id
			WHERE p.id = ?`, id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNoProduct
		case err != nil:
			return fmt.Errorf("read product %d of the catalog: %w", id, err)
		}
		return addParts(ctx, tx, list)
	})
	return list[0], err
}

// addParts gives the products, which are in the order of their ids, their images and
// tags.
func addParts(ctx context.Context, tx *sqlx.Tx, list []CatalogProduct) error {
	if len(list) == 0 {
		return nil
	}
	first, last := list[0].ID, list[len(list)-1].ID
	byID := make(map[int64]*CatalogProduct, len(list))
	for i := range list {
		list[i].Images, list[i].Tags = []Image{}, []string{}
		byID[list[i].ID] = &list[i]
	}
	var images []struct {
		ProductID int64 `db:"product_id"`
		Image
	}
	if err := tx.SelectContext(ctx, &images, `
		SELECT product_id, url, alt
		FROM product_images
		WHERE product_id BETWEEN ? AND ?
		ORDER BY product_id, position`, first, last); err != nil {
		return fmt.Errorf("list images of products %d to %d: %w", first, last, err)
	}
	for _, row := range images {
		p := byID[row.ProductID]
		p.Images = append(p.Images, row.Image)
	}
	var tags []struct {
		ProductID int64  `db:"product_id"`
		Tag       string `db:"tag"`
	}
	if err := tx.SelectContext(ctx, &tags, `
		SELECT product_id, tag
		FROM product_tags
		WHERE product_id BETWEEN ? AND ?
		ORDER BY product_id, tag`, first, last); err != nil {
		return fmt.Errorf("list tags of products %d to %d: %w", first, last, err)
	}
	for _, row := range tags {
		p := byID[row.ProductID]
		p.Tags = append(p.Tags, row.Tag)
	}
	return nil
}

// Ratings returns the ratings of up to limit products with ids above after.
func (s *Store) Ratings(ctx context.Context, after int64, limit int) ([]Rating, error) {
	list := []Rating{}
	if err := s.db.SelectContext(ctx, &list, `
		SELECT id AS product_id, rating_avg, rating_count
		FROM products
		WHERE id > ?
		ORDER BY id
		LIMIT ?`, after, limit); err != nil {
		return nil, fmt.Errorf("list ratings after product %d: %w", after, err)
	}
	return list, nil
}

func (h *handler) categories(w http.ResponseWriter, r *http.Request) {
	list, err := h.store.Categories(r.Context())
	answer(w, r, web.NewList(list), err)
}

func (h *handler) catalogProducts(w http.ResponseWriter, r *http.Request) {
	after, limit, err := part(r)
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	list, err := h.store.CatalogProducts(r.Context(), after, limit)
	answer(w, r, web.NewList(list), err)
}

func (h *handler) catalogProduct(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	product, err := h.store.CatalogProduct(r.Context(), id)
	answer(w, r, product, err)
}

func (h *handler) ratings(w http.ResponseWriter, r *http.Request) {
	after, limit, err := part(r)
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	list, err := h.store.Ratings(r.Context(), after, limit)
	answer(w, r, web.NewList(list), err)
}

func (h *handler) reviewed(w http.ResponseWriter, r *http.Request) {
	id, err := web.ID(r, "id")
	if err != nil {
		answer(w, r, nil, err)
		return
	}
	product, err := h.store.reviews.Product(r.Context(), id)
	answer(w, r, Reviewed{id, product}, err)
}
