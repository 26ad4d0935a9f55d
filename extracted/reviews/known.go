package reviews

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"
)

// What the monolith said of products and authors is kept for when it does not answer.

// Active returns whether the product was active when the monolith said so last; known is
// false if it never did.
func (s *Store) Active(ctx context.Context, productID int64) (active, known bool, err error) {
	err = s.db.GetContext(ctx, &active, `SELECT active FROM products WHERE id = ?`, productID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, false, nil
	case err != nil:
		return false, false, fmt.Errorf("recall product %d: %w", productID, err)
	}
	return active, true, nil
}

// Names returns the names of those of ids that the monolith has ever named.
func (s *Store) Names(ctx context.Context, ids []int64) ([]User, error) {
	query, args, err := sqlx.In(`SELECT id, name FROM authors WHERE id IN (?)`, ids)
	if err != nil {
		return nil, fmt.Errorf("recall %d authors: %w", len(ids), err)
	}
	var names []User
	if err := s.db.SelectContext(ctx, &names, query, args...); err != nil {
		return nil, fmt.Errorf("recall %d authors: %w", len(ids), err)
	}
	return names, nil
}

// Remember keeps what the monolith said of a product, if that is new.
func (s *Store) Remember(ctx context.Context, productID int64, active bool) error {
	was, known, err := s.Active(ctx, productID)
	if err != nil || known && was == active {
		return err
	}
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO products (id, active)
			VALUES (?, ?)
			ON CONFLICT (id) DO UPDATE SET active = excluded.active`, productID, active); err != nil {
			return fmt.Errorf("remember product %d: %w", productID, err)
		}
		return nil
	})
}

// RememberNames keeps the names that the monolith gave, those that are new.
func (s *Store) RememberNames(ctx context.Context, users []User) error {
	ids := make([]int64, 0, len(users))
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	if len(ids) == 0 {
		return nil
	}
	known, err := s.Names(ctx, ids)
	if err != nil {
		return err
	}
	was := map[User]bool{}
	for _, u := range known {
		was[u] = true
	}
	fresh := users[:0:0]
	for _, u := range users {
		if !was[u] {
			fresh = append(fresh, u)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		for _, u := range fresh {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO authors (id, name)
				SELECT ?, ?
				WHERE NOT EXISTS (SELECT 1 FROM gone WHERE kind = 'user' AND id = ?)
				ON CONFLICT (id) DO UPDATE SET name = excluded.name`, u.ID, u.Name, u.ID); err != nil {
				return fmt.Errorf("remember author %d: %w", u.ID, err)
			}
		}
		return nil
	})
}
