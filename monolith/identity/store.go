package identity

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
)

// A CartMerger puts a guest's cart into the open cart of a user within tx. A cart
// that is not an open cart of a guest is none of its business and no error.
type CartMerger interface {
	Merge(ctx context.Context, tx *sqlx.Tx, guestCartID string, userID int64) error
}

// A Forgetter deletes what a user wrote when the account goes.
type Forgetter interface {
	// Forget does so within tx, or leaves it to whoever keeps it now. Then kept says
	// whether copies are left that hold on to the user's row.
	Forget(ctx context.Context, tx *sqlx.Tx, userID int64) (kept bool, err error)
	// Forgotten is called after the transaction and gives others a moment to follow.
	Forgotten(ctx context.Context)
}

// Options tune a Store. The zero value is fit for production.
type Options struct {
	Carts   CartMerger // nil: carts of guests stay where they are
	Reviews Forgetter  // nil: nobody writes reviews
	Memory  int        // KiB for the hash of a new password; 0 means DefaultMemory
}

// Store keeps users, sessions, addresses and password resets. It is safe for
// concurrent use.
type Store struct {
	db       *sqlite.DB
	now      func() time.Time
	carts    CartMerger
	memory   int
	reviews  Forgetter
	hashing  chan struct{} // a slot for each password that may be hashed at once
	failures failures
}

// New returns a Store on db, whose owner stays the caller.
func New(db *sqlite.DB, now func() time.Time, opts Options) *Store {
	return &Store{
		db: db, now: now, carts: opts.Carts, memory: cmp.Or(opts.Memory, DefaultMemory), reviews: opts.Reviews,
		hashing:  make(chan struct{}, runtime.GOMAXPROCS(0)),
		failures: failures{byID: map[string][]time.Time{}},
	}
}

// Register makes an account, signs it in and returns the session token.
func (s *Store) Register(ctx context.Context, reg Registration) (User, string, error) {
	if err := reg.clean(); err != nil {
		return User{}, "", err
	}
	hash, err := s.hash(ctx, reg.Password)
	if err != nil {
		return User{}, "", err
	}
	u := User{Email: reg.Email, Name: reg.Name, Role: "customer", CreatedAt: instant.From(s.now())}
	var token string
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if err := insertUser(ctx, tx, &u, hash); err != nil {
			return err
		}
		if err := notify(ctx, tx, u.ID, "welcome", "Welcome to the shop",
			fmt.Sprintf("Hello %s, your account is ready.", u.Name), u.CreatedAt); err != nil {
			return err
		}
		if err := s.audit(WithUser(ctx, u), tx, "user.registered", u.ID); err != nil {
			return err
		}
		token, err = s.signIn(ctx, tx, u.ID, reg.CartID)
		return err
	})
	if err != nil {
		return User{}, "", err
	}
	return u, token, nil
}

func insertUser(ctx context.Context, tx *sqlx.Tx, u *User, hash string) error {
	err := tx.GetContext(ctx, &u.ID, `
		INSERT INTO users (email, password_hash, name, role, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?)
		RETURNING id`,
		u.Email, hash, u.Name, u.Role, u.CreatedAt, u.CreatedAt)
	switch {
	case sqlite.IsUnique(err):
		return ErrEmailTaken
	case err != nil:
		return fmt.Errorf("insert user: %w", err)
	}
	return nil
}

// Login checks the password, merges the guest's cart cartID (may be empty) and
// returns the user with the token of a new session. It fails with ErrCredentials,
// or a *ThrottledError after too many failures.
func (s *Store) Login(ctx context.Context, email, password, cartID string) (User, string, error) {
	email = NormalEmail(email)
	if email == "" || len(email) > maxEmail {
		return User{}, "", ErrCredentials // no account has it: not worth a hash, nor to be remembered
	}
	var row struct {
		User
		Hash string `db:"password_hash"`
	}
	err := s.db.GetContext(ctx, &row, `
		SELECT id, email, name, role, lifetime_value_cents, created_at, password_hash
		FROM users
		WHERE email = ? AND deleted_at IS NULL`, email)
	if errors.Is(err, sql.ErrNoRows) {
		row.Hash = nobodysHash
	} else if err != nil {
		return User{}, "", fmt.Errorf("read user by e-mail: %w", err)
	}
	if err := s.checkPassword(ctx, email, password, row.Hash); err != nil {
		return User{}, "", err
	}
	var token string
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		var still bool
		if err := tx.GetContext(ctx, &still, `
			SELECT EXISTS (SELECT 1 FROM users WHERE id = ? AND password_hash = ? AND deleted_at IS NULL)`, row.ID, row.Hash); err != nil {
			return fmt.Errorf("read password of user %d again: %w", row.ID, err)
		}
		if !still {
			return ErrCredentials // changed or deleted since it was compared
		}
		token, err = s.signIn(ctx, tx, row.ID, cartID)
		return err
	})
	if err != nil {
		return User{}, "", err
	}
	return row.User, token, nil
}

// checkPassword compares password with hash, slowly, and counts the failures of
// email. Whoever waited while others failed gets the answer of the last of them.
func (s *Store) checkPassword(ctx context.Context, email, password, hash string) error {
	if wait := s.failures.wait(email, s.now()); wait > 0 {
		return &ThrottledError{RetryAfter: wait}
	}
	if utf8.RuneCountInString(password) > maxPassword { // nobody's: it must not wait for a slot in memory
		s.failures.add(email, s.now())
		return ErrCredentials
	}
	var match bool
	err := s.withSlot(ctx, func() (err error) {
		match, err = argon2id.ComparePasswordAndHash(password, hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("compare password: %w", err)
	}
	if wait := s.failures.wait(email, s.now()); wait > 0 {
		return &ThrottledError{RetryAfter: wait}
	}
	if !match || hash == nobodysHash {
		s.failures.add(email, s.now())
		return ErrCredentials
	}
	s.failures.forget(email)
	return nil
}

func (s *Store) hash(ctx context.Context, password string) (hash string, err error) {
	err = s.withSlot(ctx, func() error {
		hash, err = hashPassword(password, s.memory)
		return err
	})
	return hash, err
}

// withSlot bounds how many hashes, each of 19 MiB if nothing else was asked for, are
// computed at once.
func (s *Store) withSlot(ctx context.Context, compute func() error) error {
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
		return compute()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) signIn(ctx context.Context, tx *sqlx.Tx, userID int64, cartID string) (string, error) {
	token, hash := newToken()
	now := s.now()
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO sessions (token_hash, user_id, created_at, expires_at)
		VALUES (?, ?, ?, ?)`,
		hash, userID, instant.From(now), instant.From(now.Add(SessionLife))); err != nil {
		return "", fmt.Errorf("insert session of user %d: %w", userID, err)
	}
	if cartID != "" && s.carts != nil {
		if err := s.carts.Merge(ctx, tx, cartID, userID); err != nil {
			return "", fmt.Errorf("merge cart into that of user %d: %w", userID, err)
		}
	}
	return token, nil
}

// Logout ends the session of token, if there is one.
func (s *Store) Logout(ctx context.Context, token string) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE token_hash = ?`, hashToken(token)); err != nil {
			return fmt.Errorf("delete session: %w", err)
		}
		return nil
	})
}

// SessionUser returns the user whose session token is, and false for a token
// that is unknown or has ended.
func (s *Store) SessionUser(ctx context.Context, token string) (User, bool, error) {
	var u User
	err := s.db.GetContext(ctx, &u, `
		SELECT u.id, u.email, u.name, u.role, u.lifetime_value_cents, u.created_at
		FROM sessions s
		JOIN users u ON u.id = s.user_id
		WHERE s.token_hash = ? AND s.expires_at > ? AND u.deleted_at IS NULL`,
		hashToken(token), instant.From(s.now()))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return User{}, false, nil
	case err != nil:
		return User{}, false, fmt.Errorf("read session: %w", err)
	}
	return u, true, nil
}

// Names returns the names of those users of ids whose accounts are not gone.
func (s *Store) Names(ctx context.Context, ids []int64) ([]Name, error) {
	query, args, err := sqlx.In(`
		SELECT id, name
		FROM users
		WHERE id IN (?) AND deleted_at IS NULL
		ORDER BY id`, ids)
	if err != nil {
		return nil, fmt.Errorf("names of %d users: %w", len(ids), err)
	}
	var names []Name
	if err := s.db.SelectContext(ctx, &names, query, args...); err != nil {
		return nil, fmt.Errorf("names of %d users: %w", len(ids), err)
	}
	return names, nil
}

// Update changes the account of u and returns it. A new password ends all of its
// sessions but that of token; a new e-mail or password ends its open resets.
func (s *Store) Update(ctx context.Context, u User, token string, c Change) (User, error) {
	if err := c.clean(); err != nil {
		return User{}, err
	}
	if c.needsPassword() {
		if err := s.checkCurrent(ctx, u, c.CurrentPassword); err != nil {
			return User{}, err
		}
	}
	var hash *string
	if c.Password != nil {
		h, err := s.hash(ctx, *c.Password)
		if err != nil {
			return User{}, err
		}
		hash = &h
	}
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		err := tx.GetContext(ctx, &u, `
			UPDATE users
			SET name = coalesce(?, name), email = coalesce(?, email),
			    password_hash = coalesce(?, password_hash), updated_at = ?
			WHERE id = ? AND deleted_at IS NULL
			RETURNING id, email, name, role, lifetime_value_cents, created_at`,
			c.Name, c.Email, hash, instant.From(s.now()), u.ID)
		switch {
		case sqlite.IsUnique(err):
			return ErrEmailTaken
		case errors.Is(err, sql.ErrNoRows):
			return errSignIn
		case err != nil:
			return fmt.Errorf("update user %d: %w", u.ID, err)
		}
		if c.needsPassword() {
			if _, err := tx.ExecContext(ctx, `DELETE FROM password_resets WHERE user_id = ?`, u.ID); err != nil {
				return fmt.Errorf("end resets of user %d: %w", u.ID, err)
			}
		}
		if hash != nil {
			if _, err := tx.ExecContext(ctx, `
				DELETE FROM sessions
				WHERE user_id = ? AND token_hash <> ?`, u.ID, hashToken(token)); err != nil {
				return fmt.Errorf("end sessions of user %d: %w", u.ID, err)
			}
		}
		return s.audit(ctx, tx, "user.updated", u.ID)
	})
	return u, err
}

// checkCurrent checks the password of a user who is already signed in.
func (s *Store) checkCurrent(ctx context.Context, u User, password string) error {
	var hash string
	err := s.db.GetContext(ctx, &hash, `
		SELECT password_hash
		FROM users
		WHERE id = ? AND deleted_at IS NULL`, u.ID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return errSignIn
	case err != nil:
		return fmt.Errorf("read password of user %d: %w", u.ID, err)
	}
	return s.checkPassword(ctx, u.Email, password, hash)
}

// Run deletes ended sessions and old resets once an hour until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := s.Cleanup(ctx); err != nil && ctx.Err() == nil {
			web.Log(ctx).Error("clean up sessions", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Cleanup deletes sessions and password resets that have ended.
func (s *Store) Cleanup(ctx context.Context) error {
	now := instant.From(s.now())
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at <= ?`, now); err != nil {
			return fmt.Errorf("delete sessions: %w", err)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM password_resets WHERE expires_at <= ?`, now); err != nil {
			return fmt.Errorf("delete password resets: %w", err)
		}
		return nil
	})
}

func (s *Store) audit(ctx context.Context, tx *sqlx.Tx, action string, userID int64) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO audit_log (actor_id, action, entity, entity_id, created_at)
		VALUES (?, ?, 'user', ?, ?)`,
		Actor(ctx), action, fmt.Sprint(userID), instant.From(s.now())); err != nil {
		return fmt.Errorf("audit %s of user %d: %w", action, userID, err)
	}
	return nil
}

func notify(ctx context.Context, tx *sqlx.Tx, userID int64, kind, subject, body string, at instant.Instant) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO notifications (user_id, kind, subject, body, created_at)
		VALUES (?, ?, ?, ?, ?)`, userID, kind, subject, body, at); err != nil {
		return fmt.Errorf("notify user %d of %s: %w", userID, kind, err)
	}
	return nil
}

var errTooMany = web.Problemf(http.StatusConflict, "too_many_addresses", "an account has at most %d addresses; delete one first", maxAddresses)
