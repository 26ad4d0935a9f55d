package identity_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

// The e-mails that deleted accounts get belong to nobody: who could register one
// could keep somebody else from deleting an account.
func TestNobodyTakesTheEmailOfADeletedAccount(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada, eve := k.Customer("Ada"), k.Customer("Eve")
	k.Order(ada.User.ID, "delivered", k.Product(k.Category("tea"), "Tea", 500, 10))
	email := "Deleted-1@deleted.invalid"
	k.Guest().Do("POST", "/api/register", body{"email": email, "password": "12345678", "name": "Eve"}).
		WantError(t, 422, "invalid", "email")
	eve.Do("PATCH", "/api/me", body{"email": email, "current_password": eve.Password}).WantError(t, 422, "invalid", "email")
	ada.Do("DELETE", "/api/me", body{"current_password": ada.Password}).Want(t, http.StatusNoContent)
}

// What no account can have costs neither a hash nor a place among the failures,
// which are kept in memory.
func TestSignInWithWhatNobodyHas(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	for _, login := range []body{
		{"email": strings.Repeat("x", 500_000) + "@x.example", "password": "12345678"},
		{"email": "", "password": "12345678"},
	} {
		for range 7 {
			k.Guest().Do("POST", "/api/login", login).WantError(t, http.StatusUnauthorized, "unauthenticated")
		}
	}
	ada := k.Customer("Ada")
	for range 5 {
		k.Guest().Do("POST", "/api/login", body{"email": ada.User.Email, "password": strings.Repeat("x", 129)}).Want(t, http.StatusUnauthorized)
	}
	k.Guest().Do("POST", "/api/login", body{"email": ada.User.Email, "password": ada.Password}).Want(t, http.StatusTooManyRequests)
}

// A token in a mailbox that is not the user's any more opens nothing.
func TestANewEmailOrPasswordEndsResets(t *testing.T) {
	t.Parallel()
	for _, change := range []body{{"email": "new@shop.example"}, {"password": "another-one"}} {
		k := testkit.New(t, monolith.Options{})
		ada := k.Customer("Ada")
		k.Guest().Do("POST", "/api/password-resets", body{"email": ada.User.Email}).Want(t, http.StatusAccepted)
		words := strings.Fields(ada.Do("GET", "/api/notifications", nil).Text("items.0.body"))
		change["current_password"] = ada.Password
		ada.Do("PATCH", "/api/me", change).Want(t, http.StatusOK)
		k.Guest().Do("POST", "/api/password-resets/"+words[len(words)-1], body{"password": "brand-new-one"}).WantError(t, 404, "not_found")
	}
}

// Whoever is let in late must not come in with a password that was changed while
// they waited.
func TestSignInWhileThePasswordChanges(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada := k.Customer("Ada")
	answered := make(chan *testkit.Answer, 1)
	if err := k.DB.Tx(t.Context(), func(tx *sqlx.Tx) error {
		waiting := k.DB.Writer().Stats().WaitCount
		go func() {
			answered <- k.Guest().Do("POST", "/api/login", body{"email": ada.User.Email, "password": ada.Password})
		}()
		for k.DB.Writer().Stats().WaitCount == waiting { // until it has compared the old hash
			if t.Context().Err() != nil {
				return t.Context().Err()
			}
			time.Sleep(time.Millisecond)
		}
		_, err := tx.Exec(`UPDATE users SET password_hash = 'changed' WHERE id = ?`, ada.User.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	(<-answered).WantError(t, http.StatusUnauthorized, "unauthenticated")
}
