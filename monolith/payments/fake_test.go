package payments_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/monolith/payments"
)

const (
	goodCard         = "4242424242424242"
	declinedCard     = "4000000000000002"
	poorCard         = "4000000000009995"
	lateGoodCard     = "4000000000000259"
	lateDeclinedCard = "4000000000000267"
	lostCard         = "4000000000000119"
)

func openFake(t *testing.T, opts payments.FakeOptions) *payments.Fake {
	t.Helper()
	f, err := payments.OpenFake(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func charge(ref, card string) payments.Charge {
	return payments.Charge{Ref: ref, AmountCents: 100, Card: payments.Card{Number: card}}
}

func TestFakeAnswersInTime(t *testing.T) {
	t.Parallel()
	f := openFake(t, payments.FakeOptions{})
	for card, want := range map[string]payments.Outcome{
		goodCard:     {Status: payments.Accepted},
		declinedCard: {Status: payments.Declined, Reason: "card_declined"},
		poorCard:     {Status: payments.Declined, Reason: "insufficient_funds"},
	} {
		if got, err := f.Charge(t.Context(), charge("ref "+card, card)); got != want || err != nil {
			t.Errorf("card %s: %+v, %v", card, got, err)
		}
		if got, err := f.Lookup(t.Context(), "ref "+card); got != want || err != nil {
			t.Errorf("look up card %s: %+v, %v", card, got, err)
		}
		if got, err := f.Charge(t.Context(), charge("ref "+card, goodCard)); got != want || err != nil {
			t.Errorf("the same ref again, card %s: %+v, %v", card, got, err)
		}
	}
}

func TestFakeAnswersLate(t *testing.T) {
	t.Parallel()
	f := openFake(t, payments.FakeOptions{Late: 10 * time.Millisecond})
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	for _, card := range []string{lateGoodCard, lateDeclinedCard, lostCard} {
		if got, err := f.Charge(short, charge(card, card)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("card %s: %+v, %v", card, got, err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	got := map[string]string{}
	var wait sync.WaitGroup
	wait.Go(func() {
		err := f.Run(ctx, func(_ context.Context, ref string, o payments.Outcome) error {
			mu.Lock()
			defer mu.Unlock()
			got[ref] = o.Status + o.Reason
			if len(got) == 2 {
				stop()
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	wait.Wait()
	if len(got) != 2 || got[lateGoodCard] != "accepted" || got[lateDeclinedCard] != "declinedcard_declined" {
		t.Errorf("late answers: %v", got)
	}
	if _, err := f.Lookup(t.Context(), lostCard); !errors.Is(err, payments.ErrUnknownRef) {
		t.Errorf("a lost charge is known: %v", err)
	}
}

func TestFakeForbid(t *testing.T) {
	t.Parallel()
	f := openFake(t, payments.FakeOptions{Late: time.Hour})
	if o, err := f.Forbid(t.Context(), "new"); o.Status != payments.Declined || err != nil {
		t.Errorf("forbid what has not arrived: %+v, %v", o, err)
	}
	if o, err := f.Charge(t.Context(), charge("new", goodCard)); o.Status != payments.Declined || err != nil {
		t.Errorf("a forbidden charge: %+v, %v", o, err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := f.Charge(short, charge("late", lateGoodCard)); err == nil {
		t.Error("a late card answered at once")
	}
	if o, err := f.Lookup(t.Context(), "late"); o.Status != payments.Pending || err != nil {
		t.Errorf("a pending charge: %+v, %v", o, err)
	}
	if o, err := f.Forbid(t.Context(), "late"); o.Status != payments.Declined || err != nil {
		t.Errorf("forbid what is pending: %+v, %v", o, err)
	}
	if o, err := f.Charge(t.Context(), charge("done", goodCard)); o.Status != payments.Accepted || err != nil {
		t.Fatal(o, err)
	}
	if o, err := f.Forbid(t.Context(), "done"); o.Status != payments.Accepted || err != nil {
		t.Errorf("forbid what was accepted: %+v, %v", o, err)
	}
}

func TestFakeReverse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	f := openFake(t, payments.FakeOptions{Ledger: path})
	for ref, card := range map[string]string{"good": goodCard, "bad": declinedCard} {
		if _, err := f.Charge(t.Context(), charge(ref, card)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		ref   string
		total int64
		ok    bool
	}{
		{"good", 30, true},
		{"good", 30, true},
		{"good", 20, true},
		{"good", 100, true},
		{"good", 101, false},
		{"bad", 1, true},
		{"from before the ledger", 50, true},
	} {
		if err := f.Reverse(t.Context(), c.ref, c.total); (err == nil) != c.ok {
			t.Errorf("reverse %s up to %d: %v", c.ref, c.total, err)
		}
	}
	entries, err := payments.ReadLedger(path)
	if err != nil || entries["good"].ReturnedCents != 100 || entries["from before the ledger"].ReturnedCents != 50 {
		t.Errorf("ledger: %+v, %v", entries, err)
	}
}

func TestLedgerSurvivesACrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	f := openFake(t, payments.FakeOptions{Ledger: path})
	for _, ref := range []string{"one", "two"} {
		if _, err := f.Charge(t.Context(), charge(ref, goodCard)); err != nil {
			t.Fatal(err)
		}
	}
	// The provider is killed in the middle of a line; what it had open, the system closes.
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"ref":"three","amou`); err != nil {
		t.Fatal(err)
	}
	file.Close()
	if _, err := payments.OpenFake(payments.FakeOptions{Ledger: path}); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("a second provider on the ledger of a living one: %v, want ErrHeld", err)
	}
	f.Close()
	again := openFake(t, payments.FakeOptions{Ledger: path})
	if o, err := again.Lookup(t.Context(), "two"); o.Status != payments.Accepted || err != nil {
		t.Errorf("a charge from before the crash: %+v, %v", o, err)
	}
	if _, err := again.Charge(t.Context(), charge("three", goodCard)); err != nil {
		t.Fatal(err)
	}
	entries, err := payments.ReadLedger(path)
	if err != nil || len(entries) != 3 || entries["three"].Status != payments.Accepted {
		t.Errorf("ledger: %+v, %v", entries, err)
	}
}

func TestLedgerThatIsNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	if err := os.WriteFile(path, []byte("milk\neggs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := payments.OpenFake(payments.FakeOptions{Ledger: path}); err == nil {
		t.Error("a shopping list was accepted as a ledger")
	}
	if data, _ := os.ReadFile(path); string(data) != "milk\neggs\n" {
		t.Errorf("the file was changed: %q", data)
	}
}
