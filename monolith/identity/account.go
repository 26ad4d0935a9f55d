package identity

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
)

// Addresses returns the addresses of a user, oldest first.
func (s *Store) Addresses(ctx context.Context, userID int64) ([]Address, error) {
	list := []Address{}
	if err := s.db.SelectContext(ctx, &list, `
		SELECT id, name, street, city, postal_code, region, country
		FROM addresses
		WHERE user_id = ? AND deleted_at IS NULL
		ORDER BY id`, userID); err != nil {
		return nil, fmt.Errorf("list addresses of user %d: %w", userID, err)
	}
	return list, nil
}

// AddAddress adds an address to the account of a user and returns it with its id.
func (s *Store) AddAddress(ctx context.Context, userID int64, a Address) (Address, error) {
	if err := a.clean(); err != nil {
		return Address{}, err
	}
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		var count int
		if err := tx.GetContext(ctx, &count, `
			SELECT count(*)
			FROM addresses
			WHERE user_id = ? AND deleted_at IS NULL`, userID); err != nil {
			return fmt.Errorf("count addresses of user %d: %w", userID, err)
		}
		if count >= maxAddresses {
			return errTooMany
		}
		if err := tx.GetContext(ctx, &a.ID, `
			INSERT INTO addresses (user_id, name, street, city, postal_code, region, country, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			RETURNING id`,
			userID, a.Name, a.Street, a.City, a.PostalCode, a.Region, a.Country, instant.From(s.now())); err != nil {
			return fmt.Errorf("insert address of user %d: %w", userID, err)
		}
		return s.audit(ctx, tx, "user.updated", userID)
	})
	return a, err
}

// DeleteAddress removes an address from the account of a user, or returns
// ErrNoAddress. Orders that were shipped there still show it.
func (s *Store) DeleteAddress(ctx context.Context, userID, id int64) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		var used bool
		err := tx.GetContext(ctx, &used, `
			SELECT EXISTS (SELECT 1 FROM orders o WHERE o.shipping_address_id = a.id)
			FROM addresses a
			WHERE a.id = ? AND a.user_id = ? AND a.deleted_at IS NULL`, id, userID)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNoAddress
		case err != nil:
			return fmt.Errorf("read address %d: %w", id, err)
		}
		if used {
			_, err = tx.ExecContext(ctx, `UPDATE addresses SET deleted_at = ? WHERE id = ?`, instant.From(s.now()), id)
		} else {
			_, err = tx.ExecContext(ctx, `DELETE FROM addresses WHERE id = ?`, id)
		}
		if err != nil {
			return fmt.Errorf("delete address %d: %w", id, err)
		}
		return s.audit(ctx, tx, "user.updated", userID)
	})
}

// RequestReset writes a notification with a token that lets the owner of email
// choose a new password. It does nothing, without an error, for an unknown e-mail
// or when the user already holds several open tokens.
func (s *Store) RequestReset(ctx context.Context, email string) error {
	token, hash := newToken()
	now := s.now()
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		var userID int64
		err := tx.GetContext(ctx, &userID, `
			INSERT INTO password_resets (token_hash, user_id, created_at, expires_at)
			SELECT ?, u.id, ?, ?
			FROM users u
			WHERE u.email = ? AND u.deleted_at IS NULL
			  AND (SELECT count(*) FROM password_resets r
			       WHERE r.user_id = u.id AND r.used_at IS NULL AND r.expires_at > ?) < ?
			RETURNING user_id`,
			hash, instant.From(now), instant.From(now.Add(resetLife)),
			NormalEmail(email), instant.From(now), maxResets)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return fmt.Errorf("insert password reset: %w", err)
		}
		return notify(ctx, tx, userID, "password_reset", "Choose a new password",
			"Somebody, hopefully you, asked for a new password. Within an hour this token lets you choose one: "+token, instant.From(now))
	})
}

// ResetPassword sets the password of the user whom token was sent to and ends all
// of that user's sessions. It fails with ErrNoReset for a token that is unknown,
// used or too old.
func (s *Store) ResetPassword(ctx context.Context, token, password string) error {
	if err := invalidPassword(password); err != nil {
		return err
	}
	if _, err := s.resetOwner(ctx, s.db, token); err != nil {
		return err // before the costly hash
	}
	hash, err := s.hash(ctx, password)
	if err != nil {
		return err
	}
	var email string
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		userID, err := s.resetOwner(ctx, tx, token)
		if err != nil {
			return err
		}
		now := instant.From(s.now())
		if err := tx.GetContext(ctx, &email, `
			UPDATE users
			SET password_hash = ?, updated_at = ?
			WHERE id = ?
			RETURNING email`, hash, now, userID); err != nil {
			return fmt.Errorf("set password of user %d: %w", userID, err)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE password_resets SET used_at = ? WHERE user_id = ? AND used_at IS NULL`, now, userID); err != nil {
			return fmt.Errorf("use up resets of user %d: %w", userID, err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ?`, userID); err != nil {
			return fmt.Errorf("end sessions of user %d: %w", userID, err)
		}
		return s.audit(ctx, tx, "user.updated", userID)
	})
	if err == nil {
		s.failures.forget(email)
	}
	return err
}

func (s *Store) resetOwner(ctx context.Context, q sqlx.QueryerContext, token string) (int64, error) {
	var userID int64
	err := sqlx.GetContext(ctx, q, &userID, `
		SELECT r.user_id
		FROM password_resets r
		JOIN users u ON u.id = r.user_id AND u.deleted_at IS NULL
		WHERE r.token_hash = ? AND r.used_at IS NULL AND r.expires_at > ?`,
		hashToken(token), instant.From(s.now()))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, ErrNoReset
	case err != nil:
		return 0, fmt.Errorf("read password reset: %w", err)
	}
	return userID, nil
}

// Delete removes the account of u: sessions, addresses, carts, reviews and
// notifications go. If there are orders they stay, and with them an account
// without a name, an e-mail or a way in.
func (s *Store) Delete(ctx context.Context, u User, currentPassword string) error {
	if err := s.checkCurrent(ctx, u, currentPassword); err != nil {
		return err
	}
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		keep, err := s.forgetReviews(ctx, tx, u.ID)
		if err != nil {
			return err
		}
		if !keep {
			if err := tx.GetContext(ctx, &keep, `SELECT EXISTS (SELECT 1 FROM orders WHERE user_id = ?)`, u.ID); err != nil {
				return fmt.Errorf("look for orders of user %d: %w", u.ID, err)
			}
		}
		if keep {
			err = s.anonymise(ctx, tx, u.ID)
		} else {
			// The foreign keys take everything else along.
			_, err = tx.ExecContext(ctx, `DELETE FROM users WHERE id = ?`, u.ID)
		}
		if err != nil {
			return fmt.Errorf("delete user %d: %w", u.ID, err)
		}
		return s.audit(ctx, tx, "user.deleted", u.ID)
	})
	if err == nil && s.reviews != nil {
		s.reviews.Forgotten(ctx)
	}
	return err
}

func (s *Store) forgetReviews(ctx context.Context, tx *sqlx.Tx, id int64) (kept bool, err error) {
	if s.reviews == nil {
		return false, nil
	}
	return s.reviews.Forget(ctx, tx, id)
}

// anonymise leaves of a user what the orders refer to, and nothing personal.
func (s *Store) anonymise(ctx context.Context, tx *sqlx.Tx, id int64) error {
	now := instant.From(s.now())
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{`DELETE FROM sessions WHERE user_id = ?`, []any{id}},
		{`DELETE FROM password_resets WHERE user_id = ?`, []any{id}},
		{`DELETE FROM notifications WHERE user_id = ?`, []any{id}},
		{`DELETE FROM carts
		  WHERE user_id = ? AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.cart_id = carts.id)`, []any{id}},
		{`DELETE FROM addresses
		  WHERE user_id = ? AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.shipping_address_id = addresses.id)`, []any{id}},
		{`UPDATE addresses
		  SET name = '', street = '', city = '', postal_code = '', deleted_at = coalesce(deleted_at, ?)
		  WHERE user_id = ?`, []any{now, id}},
		{`UPDATE users
		  SET email = 'deleted-' || id || ?, password_hash = '', name = 'Deleted customer',
		      role = 'customer', updated_at = ?, deleted_at = ?
		  WHERE id = ?`, []any{deletedDomain, now, now, id}},
	} {
		if _, err := tx.ExecContext(ctx, step.sql, step.args...); err != nil {
			return err
		}
	}
	return nil
}
