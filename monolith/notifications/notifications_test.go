package notifications_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/monolith"
	"github.com/stranglerfig/toolkit/monolith/notifications"
	"github.com/stranglerfig/toolkit/monolith/testkit"
)

// A box is an outbox with a sink that tests can cut and copy.
type box struct {
	*testkit.Kit
	t    *testing.T
	sink string
	user int64
}

func newBox(t *testing.T) *box {
	k := testkit.New(t, monolith.Options{})
	b := &box{Kit: k, t: t, sink: filepath.Join(t.TempDir(), "sink.jsonl")}
	b.user = k.Customer("Ada").User.ID
	k.Exec(`DELETE FROM notifications`)
	return b
}

func (b *box) add(n int) {
	b.t.Helper()
	if err := b.DB.Tx(b.t.Context(), func(tx *sqlx.Tx) error {
		for i := range n {
			if err := notifications.Add(b.t.Context(), tx, b.user, "welcome", fmt.Sprint("S", i), "B\n", instant.From(b.Clock.Now())); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.t.Fatal(err)
	}
}

// deliver is what a process does that has just started.
func (b *box) deliver() {
	b.t.Helper()
	store := notifications.New(b.DB, b.Clock.Now, notifications.Options{Sink: b.sink})
	if err := store.Deliver(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// delivered returns the ids in the sink.
func (b *box) delivered() []int64 {
	b.t.Helper()
	data, err := os.ReadFile(b.sink)
	if err != nil {
		b.t.Fatal(err)
	}
	var ids []int64
	for line := range strings.Lines(string(data)) {
		var m notifications.Message
		if err := json.Unmarshal([]byte(line), &m); err != nil || !strings.HasSuffix(line, "\n") {
			b.t.Fatalf("line %q: %v", line, err)
		}
		ids = append(ids, m.ID)
	}
	return ids
}

// wantAll checks that each notification is in the sink once, in order, and noted
// as sent.
func (b *box) wantAll() {
	b.t.Helper()
	var all []int64
	if err := b.DB.SelectContext(b.t.Context(), &all, `SELECT id FROM notifications ORDER BY id`); err != nil {
		b.t.Fatal(err)
	}
	if got := b.delivered(); !slices.Equal(got, all) {
		b.t.Errorf("delivered %v, want %v", got, all)
	}
	if n := b.Count(`SELECT count(*) FROM notifications WHERE sent_at IS NULL`); n != 0 {
		b.t.Errorf("%d are not noted as sent", n)
	}
}

func TestDeliversInOrder(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.add(450) // more than two batches
	b.deliver()
	b.add(3)
	b.deliver()
	b.deliver()
	b.wantAll()
	data, _ := os.ReadFile(b.sink)
	first, _, _ := strings.Cut(string(data), "\n")
	for _, part := range []string{`"kind":"welcome"`, `"subject":"S0"`, `"email":"user`, `"user_id":`, `"created_at":"2026-03-01T12:00:00.000Z"`} {
		if !strings.Contains(first, part) {
			t.Errorf("%s is missing in %s", part, first)
		}
	}
}

// A kill may leave any prefix of a batch in the sink, even half a line, with none
// of it noted as sent. Whatever it left, the next start delivers each exactly once.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.add(2)
	b.deliver()
	b.add(3)
	before, err := os.ReadFile(b.sink)
	if err != nil {
		t.Fatal(err)
	}
	b.deliver()
	after, err := os.ReadFile(b.sink)
	if err != nil {
		t.Fatal(err)
	}
	last := b.Count(`SELECT max(id) FROM notifications`)
	for length := len(before); length <= len(after); length++ {
		if err := os.WriteFile(b.sink, after[:length], 0o600); err != nil {
			t.Fatal(err)
		}
		b.Exec(`UPDATE notifications SET sent_at = NULL WHERE id > ?`, last-3)
		b.deliver()
		b.wantAll()
	}
}

// A sink that an earlier shop filled says nothing about the outbox of this one.
func TestSinkOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	b, old := newBox(t), newBox(t)
	old.sink = b.sink
	old.add(4)
	old.deliver()
	b.Clock.Advance(time.Hour)
	b.add(2)
	b.deliver()
	if got := b.delivered(); len(got) != 6 {
		t.Errorf("delivered %v, want 4 of the old and 2 of the new shop", got)
	}
}

func TestNothingForDeletedAccounts(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.add(1)
	b.Exec(`UPDATE users SET deleted_at = 1 WHERE id = ?`, b.user)
	b.deliver()
	if got := b.delivered(); len(got) != 0 {
		t.Errorf("delivered %v", got)
	}
	if n := b.Count(`SELECT count(*) FROM notifications WHERE sent_at IS NULL`); n != 0 {
		t.Error("it stays in the outbox for ever")
	}
}

func TestSinkThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.add(1)
	good := b.sink
	b.sink = filepath.Join(t.TempDir(), "missing", "sink.jsonl")
	store := notifications.New(b.DB, b.Clock.Now, notifications.Options{Sink: b.sink})
	if err := store.CheckSink(); err == nil || !strings.Contains(err.Error(), b.sink) {
		t.Errorf("check: %v", err)
	}
	if err := store.Deliver(t.Context()); err == nil {
		t.Error("delivering to nowhere worked")
	}
	b.sink = good
	b.deliver()
	b.wantAll()
}

func TestRunDeliversWhatComes(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	store := notifications.New(b.DB, b.Clock.Now, notifications.Options{Sink: b.sink, Pause: time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	for range 3 {
		b.add(1)
		for b.Count(`SELECT count(*) FROM notifications WHERE sent_at IS NULL`) > 0 {
			if t.Context().Err() != nil {
				t.Fatal("not delivered")
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	b.wantAll()
}

func TestListShowsOnlyOnesOwn(t *testing.T) {
	t.Parallel()
	k := testkit.New(t, monolith.Options{})
	ada, bob := k.Customer("Ada"), k.Customer("Bob")
	k.Exec(`INSERT INTO notifications (user_id, kind, subject, body, created_at) VALUES (?, 'order_paid', 'S', 'B', 1)`, ada.User.ID)
	list := ada.Do("GET", "/api/notifications?per_page=1", nil).Want(t, http.StatusOK)
	if list.Text("items.0.kind") != "order_paid" || list.Int("total") != 2 || list.Int("pages") != 2 || list.Get("items.0.sent_at") != nil ||
		list.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s", list.Body)
	}
	if other := bob.Do("GET", "/api/notifications", nil); other.Int("total") != 1 || other.Text("items.0.kind") != "welcome" {
		t.Errorf("%s", other.Body)
	}
	k.Guest().Do("GET", "/api/notifications", nil).WantError(t, 401, "unauthenticated")
	ada.Do("GET", "/api/notifications?page=0", nil).WantError(t, 422, "invalid", "page")
}
