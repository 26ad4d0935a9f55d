package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
	"github.com/stranglerfig/toolkit/monolith/identity"
)

// Create adds a product, and in the same transaction the shelf it lies on.
func (s *Store) Create(ctx context.Context, d Draft) (Managed, error) {
	if err := d.cleanNew(); err != nil {
		return Managed{}, err
	}
	var made Managed
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		id, err := s.insert(ctx, tx, d)
		if err != nil {
			return err
		}
		if err := s.stock(ctx, tx, id, valueOr(d.StockQty, 0)); err != nil {
			return err
		}
		if err := replaceParts(ctx, tx, id, d); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, "product.created", id); err != nil {
			return err
		}
		made, err = s.read(ctx, tx, id)
		return err
	})
	return made, err
}

func (s *Store) insert(ctx context.Context, tx *sqlx.Tx, d Draft) (int64, error) {
	now := s.nowInstant()
	var id int64
	err := tx.GetContext(ctx, &id, `
		INSERT INTO products (sku, name, description, category_id, price_cents, active, stock_qty, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		RETURNING id`,
		*d.SKU, *d.Name, valueOr(d.Description, ""), *d.CategoryID, *d.PriceCents,
		valueOr(d.Active, true), valueOr(d.StockQty, 0), now, now)
	if err != nil {
		return 0, refusal(err, "insert product")
	}
	return id, nil
}

func valueOr[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

// refusal turns a violated constraint into what the client did wrong.
func refusal(err error, doing string) error {
	switch {
	case sqlite.IsUnique(err):
		return ErrSKUTaken
	case sqlite.IsForeignKey(err):
		return web.Invalid(web.Field{Name: "category_id", Message: "no such category"})
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (s *Store) stock(ctx context.Context, tx *sqlx.Tx, id int64, qty int) error {
	now := s.nowInstant()
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO stock_items (product_id, on_hand, updated_at)
		VALUES (?, ?, ?)`, id, qty, now); err != nil {
		return fmt.Errorf("insert stock of product %d: %w", id, err)
	}
	if qty == 0 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO stock_movements (product_id, delta, reason, created_at)
		VALUES (?, ?, 'initial', ?)`, id, qty, now); err != nil {
		return fmt.Errorf("insert stock movement of product %d: %w", id, err)
	}
	return nil
}

// Update changes a product, active or not, and raises its version. If version is
// not 0 it must be the product's, else nothing changes and it is ErrOtherVersion.
func (s *Store) Update(ctx context.Context, id int64, d Draft, version int64) (Managed, error) {
	if err := d.cleanChange(); err != nil {
		return Managed{}, err
	}
	var changed Managed
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		var current int64
		err := tx.GetContext(ctx, &current, `SELECT version FROM products WHERE id = ?`, id)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNoProduct
		case err != nil:
			return fmt.Errorf("read version of product %d: %w", id, err)
		case version != 0 && version != current:
			return ErrOtherVersion
		}
		if _, err := tx.ExecContext(ctx, `
			UPDATE products
			SET sku = coalesce(?, sku), name = coalesce(?, name), description = coalesce(?, description),
			    category_id = coalesce(?, category_id), price_cents = coalesce(?, price_cents),
			    active = coalesce(?, active), version = version + 1, updated_at = ?
			WHERE id = ?`,
			d.SKU, d.Name, d.Description, d.CategoryID, d.PriceCents, d.Active, s.nowInstant(), id); err != nil {
			return refusal(err, fmt.Sprintf("update product %d", id))
		}
		if err := replaceParts(ctx, tx, id, d); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, "product.updated", id); err != nil {
			return err
		}
		changed, err = s.read(ctx, tx, id)
		return err
	})
	return changed, err
}

// replaceParts sets the tags and images that d names.
func replaceParts(ctx context.Context, tx *sqlx.Tx, id int64, d Draft) error {
	if d.Tags != nil {
		if _, err := tx.ExecContext(ctx, `DELETE FROM product_tags WHERE product_id = ?`, id); err != nil {
			return fmt.Errorf("delete tags of product %d: %w", id, err)
		}
		for _, tag := range *d.Tags {
			if _, err := tx.ExecContext(ctx, `INSERT INTO product_tags (product_id, tag) VALUES (?, ?)`, id, tag); err != nil {
				return fmt.Errorf("insert tag of product %d: %w", id, err)
			}
		}
	}
	if d.Images != nil {
		if _, err := tx.ExecContext(ctx, `DELETE FROM product_images WHERE product_id = ?`, id); err != nil {
			return fmt.Errorf("delete images of product %d: %w", id, err)
		}
		for i, image := range *d.Images {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO product_images (product_id, position, url, alt)
				VALUES (?, ?, ?, ?)`, id, i, image.URL, image.Alt); err != nil {
				return fmt.Errorf("insert image of product %d: %w", id, err)
			}
		}
	}
	return nil
}

// Delete removes a product with its stock, reviews and views. A foreign key of
// order_lines keeps what was ever ordered: that is ErrOrdered.
func (s *Store) Delete(ctx context.Context, id int64) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM products WHERE id = ?`, id)
		switch {
		case sqlite.IsForeignKey(err):
			return ErrOrdered
		case err != nil:
			return fmt.Errorf("delete product %d: %w", id, err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNoProduct, err)
		}
		return s.audit(ctx, tx, "product.deleted", id)
	})
}

func (s *Store) audit(ctx context.Context, tx *sqlx.Tx, action string, id int64) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO audit_log (actor_id, action, entity, entity_id, created_at)
		VALUES (?, ?, 'product', ?, ?)`,
		identity.Actor(ctx), action, fmt.Sprint(id), s.nowInstant()); err != nil {
		return fmt.Errorf("audit %s %d: %w", action, id, err)
	}
	return nil
}
