// Package notifications tells users what happened. Whoever changes something adds
// the notification in the same transaction; this package lists them for their
// user and delivers them, in order, to a sink.
//
// It promises that each committed notification reaches the sink exactly once, also
// when the program is killed between writing to the sink and noting that it did.
// It sends nothing to accounts that were deleted meanwhile.
package notifications

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
)

// A Notification is one message to one user.
type Notification struct {
	ID        int64            `db:"id" json:"id"`
	Kind      string           `db:"kind" json:"kind"`
	Subject   string           `db:"subject" json:"subject"`
	Body      string           `db:"body" json:"body"`
	CreatedAt instant.Instant  `db:"created_at" json:"created_at"`
	SentAt    *instant.Instant `db:"sent_at" json:"sent_at"`
}

// A Message is what the sink gets: a notification with where it goes to.
type Message struct {
	ID        int64           `db:"id" json:"id"`
	UserID    int64           `db:"user_id" json:"user_id"`
	Email     string          `db:"email" json:"email"`
	Kind      string          `db:"kind" json:"kind"`
	Subject   string          `db:"subject" json:"subject"`
	Body      string          `db:"body" json:"body"`
	CreatedAt instant.Instant `db:"created_at" json:"created_at"`
	Gone      bool            `db:"gone" json:"-"` // the account was deleted: not delivered
}

// Add puts a notification for a user into the outbox, within the transaction of
// the change it tells of.
func Add(ctx context.Context, tx *sqlx.Tx, userID int64, kind, subject, body string, at instant.Instant) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO notifications (user_id, kind, subject, body, created_at)
		VALUES (?, ?, ?, ?, ?)`, userID, kind, subject, body, at); err != nil {
		return fmt.Errorf("notify user %d of %s: %w", userID, kind, err)
	}
	return nil
}
