// Package identity knows who is who: accounts, passwords, sessions, addresses.
//
// It promises that a password is only ever kept as an argon2id hash, that a
// session or reset token is only ever kept as its SHA-256, and that a stranger
// cannot learn from the time or the words of an answer whether an account exists
// at sign-in. It leaves to others what a user may do, administrators aside.
package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/web"
)

// SessionLife is how long a session lasts after signing in.
const SessionLife = 30 * 24 * time.Hour

const (
	resetLife      = time.Hour
	maxResets      = 5 // open reset tokens of one user
	maxAddresses   = 20
	maxNames       = 100 // of one question
	maxFailures    = 5   // failed sign-ins of one e-mail within failureWindow
	failureWindow  = time.Minute
	maxFailureKeys = 10_000
	maxEmail       = 254 // bytes
	maxPassword    = 128 // characters
	deletedDomain  = "@deleted.invalid"
)

// What identity refuses, ready to be shown to a client.
var (
	ErrCredentials error = web.Problemf(http.StatusUnauthorized, "unauthenticated", "the e-mail or the password is wrong")
	ErrEmailTaken  error = web.Problemf(http.StatusConflict, "email_taken", "there is already an account with this e-mail")
	ErrNoAddress   error = web.Problemf(http.StatusNotFound, "not_found", "no such address")
	ErrNoReset     error = web.Problemf(http.StatusNotFound, "not_found", "the token is unknown, used or too old; ask for a new one")
	errNoSession         = web.Problemf(http.StatusNotFound, "not_found", "no such session")
	errSignIn            = web.Problemf(http.StatusUnauthorized, "unauthenticated", "sign in first")
	errNotAdmin          = web.Problemf(http.StatusForbidden, "forbidden", "only administrators may do this")
)

// A ThrottledError reports too many failed sign-ins for one e-mail.
type ThrottledError struct {
	RetryAfter time.Duration // until the next try is looked at
}

func (e *ThrottledError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the Problem for the client.
func (e *ThrottledError) Unwrap() error {
	return web.Problemf(http.StatusTooManyRequests, "too_many_requests",
		"too many failed sign-ins; try again in %d s", e.Seconds())
}

// Seconds is RetryAfter for the header of that name, rounded up.
func (e *ThrottledError) Seconds() int {
	return max(1, int((e.RetryAfter+time.Second-1)/time.Second))
}

// A User is an account as its owner sees it.
type User struct {
	ID                 int64           `db:"id" json:"id"`
	Email              string          `db:"email" json:"email"`
	Name               string          `db:"name" json:"name"`
	Role               string          `db:"role" json:"role"`
	LifetimeValueCents int64           `db:"lifetime_value_cents" json:"lifetime_value_cents"`
	CreatedAt          instant.Instant `db:"created_at" json:"created_at"`
}

// IsAdmin reports whether the user may use the administration.
func (u User) IsAdmin() bool { return u.Role == "admin" }

// A Name is what others may know of a user.
type Name struct {
	ID   int64  `db:"id" json:"id"`
	Name string `db:"name" json:"name"`
}

// A Registration asks for a new account. CartID names a guest's cart that the new
// user takes over; it may be empty.
type Registration struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Name     string `json:"name"`
	CartID   string `json:"-"`
}

// A Change alters an account; nil fields stay as they are. A new e-mail or
// password needs the current password.
type Change struct {
	Name            *string `json:"name"`
	Email           *string `json:"email"`
	Password        *string `json:"password"`
	CurrentPassword string  `json:"current_password"`
}

// An Address is where an order may be shipped to.
type Address struct {
	ID         int64  `db:"id" json:"id"`
	Name       string `db:"name" json:"name"`
	Street     string `db:"street" json:"street"`
	City       string `db:"city" json:"city"`
	PostalCode string `db:"postal_code" json:"postal_code"`
	Region     string `db:"region" json:"region"`
	Country    string `db:"country" json:"country"`
}

type userKey struct{}

// WithUser returns a context in which u is signed in.
func WithUser(ctx context.Context, u User) context.Context {
	return context.WithValue(ctx, userKey{}, u)
}

// Current returns the signed-in user, if there is one.
func Current(ctx context.Context) (User, bool) {
	u, ok := ctx.Value(userKey{}).(User)
	return u, ok
}

// Actor returns the id of the signed-in user for audit_log.actor_id, or nil.
func Actor(ctx context.Context) any {
	if u, ok := Current(ctx); ok {
		return u.ID
	}
	return nil
}

// NormalEmail returns the form in which an e-mail is stored and compared.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

func checkEmail(email string) []web.Field {
	at := strings.LastIndexByte(email, '@')
	switch {
	case at < 1 || at == len(email)-1:
		return []web.Field{{Name: "email", Message: "must look like name@example.org"}}
	case len(email) > maxEmail:
		return []web.Field{{Name: "email", Message: "must be at most 254 bytes long"}}
	case strings.HasSuffix(email, deletedDomain):
		return []web.Field{{Name: "email", Message: "must be an address that can get mail"}}
	case strings.ContainsFunc(email, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return []web.Field{{Name: "email", Message: "must not hold spaces"}}
	}
	return nil
}

func checkPassword(field, password string) []web.Field {
	if n := utf8.RuneCountInString(password); n < 8 || n > maxPassword {
		return []web.Field{{Name: field, Message: "must have 8 to 128 characters"}}
	}
	return nil
}

func checkText(field, text string, lowest, highest int) []web.Field {
	switch n := utf8.RuneCountInString(text); {
	case n < lowest:
		return []web.Field{{Name: field, Message: "must not be empty"}}
	case n > highest:
		return []web.Field{{Name: field, Message: fmt.Sprintf("must have at most %d characters", highest)}}
	case strings.ContainsFunc(text, unicode.IsControl):
		return []web.Field{{Name: field, Message: "must be one line of plain text"}}
	}
	return nil
}

func (r *Registration) clean() error {
	r.Email, r.Name = NormalEmail(r.Email), strings.TrimSpace(r.Name)
	fields := checkEmail(r.Email)
	fields = append(fields, checkPassword("password", r.Password)...)
	return web.Invalid(append(fields, checkText("name", r.Name, 1, 100)...)...)
}

func (c *Change) clean() error {
	var fields []web.Field
	if c.Name != nil {
		name := strings.TrimSpace(*c.Name)
		c.Name = &name
		fields = append(fields, checkText("name", name, 1, 100)...)
	}
	if c.Email != nil {
		email := NormalEmail(*c.Email)
		c.Email = &email
		fields = append(fields, checkEmail(email)...)
	}
	if c.Password != nil {
		fields = append(fields, checkPassword("password", *c.Password)...)
	}
	if c.needsPassword() && c.CurrentPassword == "" {
		fields = append(fields, web.Field{Name: "current_password", Message: "is needed to change the e-mail or the password"})
	}
	return web.Invalid(fields...)
}

func (c *Change) needsPassword() bool { return c.Email != nil || c.Password != nil }

func (a *Address) clean() error {
	var fields []web.Field
	for _, f := range []struct {
		name   string
		value  *string
		lowest int
	}{
		{"name", &a.Name, 1},
		{"street", &a.Street, 1},
		{"city", &a.City, 1},
		{"postal_code", &a.PostalCode, 1},
		{"region", &a.Region, 0},
	} {
		*f.value = strings.TrimSpace(*f.value)
		fields = append(fields, checkText(f.name, *f.value, f.lowest, 200)...)
	}
	if len(a.Country) != 2 || strings.Trim(a.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		fields = append(fields, web.Field{Name: "country", Message: "must be two capital letters, such as DE"})
	}
	return web.Invalid(fields...)
}

// newToken returns a random token for the client and its hash for the database.
func newToken() (token, hash string) {
	raw := make([]byte, 32)
	rand.Read(raw) //nolint:errcheck // it never fails
	token = base64.RawURLEncoding.EncodeToString(raw)
	return token, hashToken(token)
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// The cost of one hash: DefaultMemory KiB, two passes, one lane. Changing it does not
// make old hashes unreadable: each one names its own cost.
const (
	DefaultMemory = 19 * 1024
	hashPasses    = 2
)

// nobodysHash is compared with when there is no such user, so that the answer
// takes as long. It is the hash of no known password.
const nobodysHash = "$argon2id$v=19$m=19456,t=2,p=1$c2hvcC1vZi1ub2JvZHkxMg$PkAoRCoHEdKQIrqPDCSzO3q2mFMXdhZ4Ix9dW1Zcn6U"

// hashPassword returns the argon2id hash to store for password.
func hashPassword(password string, memoryKiB int) (string, error) {
	hash, err := argon2id.CreateHash(password, &argon2id.Params{
		Memory: uint32(memoryKiB), Iterations: hashPasses, Parallelism: 1, SaltLength: 16, KeyLength: 32,
	})
	if err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	return hash, nil
}

// failures counts failed sign-ins per e-mail, in a bounded map.
type failures struct {
	mu   sync.Mutex
	byID map[string][]time.Time
}

// wait returns how long email has to wait before its next try; 0 is not at all.
func (f *failures) wait(email string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	recent := f.recent(email, now)
	if len(recent) < maxFailures {
		return 0
	}
	return recent[len(recent)-maxFailures].Add(failureWindow).Sub(now)
}

func (f *failures) add(email string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.byID) >= maxFailureKeys {
		f.makeRoom(now)
	}
	f.byID[email] = append(f.recent(email, now), now)
}

func (f *failures) forget(email string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byID, email)
}

func (f *failures) recent(email string, now time.Time) []time.Time {
	times := f.byID[email]
	for len(times) > 0 && !now.Before(times[0].Add(failureWindow)) {
		times = times[1:]
	}
	return times
}

// makeRoom drops what is too old, and if that is not enough, any one entry.
func (f *failures) makeRoom(now time.Time) {
	for email := range f.byID {
		if len(f.recent(email, now)) == 0 {
			delete(f.byID, email)
		}
	}
	for email := range f.byID {
		if len(f.byID) < maxFailureKeys {
			return
		}
		delete(f.byID, email)
	}
}
