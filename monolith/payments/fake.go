package payments

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/internal/program"
)

// FakeOptions tune a Fake. The zero value is fit for the demo, without a ledger.
type FakeOptions struct {
	Ledger string        // file that keeps the charges; "" keeps them in memory
	Late   time.Duration // how long the late cards take to answer; 0 means 1 s
	Log    *slog.Logger  // nil discards
}

// Fake is a payment provider that runs in the process and moves no money. Some card
// numbers make it decline, answer late or not at all. Its ledger is a file of its
// own, written before each answer, because a provider forgets nothing when the shop
// crashes. It is safe for concurrent use; who opens it closes it.
type Fake struct {
	late    time.Duration
	log     *slog.Logger
	wake    chan struct{} // a late answer was scheduled
	mu      sync.Mutex
	file    *os.File // nil: in memory
	size    int64    // of the file's whole lines
	entries map[string]Entry
}

// An Entry is the newest state of one charge in the ledger.
type Entry struct {
	Ref           string `json:"ref"`
	AmountCents   int64  `json:"amount_cents"`
	Status        string `json:"status"` // accepted, declined or pending
	Reason        string `json:"reason,omitempty"`
	ReturnedCents int64  `json:"returned_cents,omitempty"`
	DueMillis     int64  `json:"due,omitempty"`  // when a pending charge is decided
	Then          string `json:"then,omitempty"` // and how
}

// The cards that do not simply work.
var trouble = map[string]struct{ status, reason, then string }{
	"4000000000000002": {status: Declined, reason: "card_declined"},
	"4000000000009995": {status: Declined, reason: "insufficient_funds"},
	"4000000000000259": {status: Pending, then: Accepted},
	"4000000000000267": {status: Pending, then: Declined, reason: "card_declined"},
	"4000000000000119": {}, // the charge is lost on its way
}

// OpenFake returns a provider that knows what is in its ledger. A last line that was
// cut off by a crash is dropped: it was never answered.
func OpenFake(opts FakeOptions) (*Fake, error) {
	f := &Fake{late: opts.Late, wake: make(chan struct{}, 1), entries: map[string]Entry{}}
	setDefault(&f.late, time.Second)
	f.log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	if opts.Ledger == "" {
		return f, nil
	}
	file, err := os.OpenFile(opts.Ledger, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the provider's ledger: %w", err)
	}
	if err := filelock.Exclusive(file); err != nil {
		return nil, errors.Join(program.Fail(program.Usage, "stop the other monolith, or give this one a database and a ledger of its own",
			"ledger %s: %w", opts.Ledger, err), file.Close())
	}
	good, err := readLedger(file, f.entries)
	if err == nil {
		err = file.Truncate(good)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ledger %s: %w", opts.Ledger, err), file.Close())
	}
	f.file, f.size = file, good
	return f, nil
}

// ReadLedger returns the charges in the ledger file at path.
func ReadLedger(path string) (map[string]Entry, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	entries := map[string]Entry{}
	if _, err := readLedger(file, entries); err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	return entries, nil
}

// readLedger returns the length of the whole lines.
func readLedger(r io.Reader, entries map[string]Entry) (int64, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return 0, err
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	line := 0
	for text := range bytes.Lines(data[:end]) {
		line++
		var e Entry
		if err := json.Unmarshal(text, &e); err != nil {
			return 0, fmt.Errorf("line %d: %w", line, err)
		}
		entries[e.Ref] = e
	}
	return int64(end), nil
}

// Close closes the ledger.
func (f *Fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// Charge implements Provider. For the cards that answer late or never it holds the
// caller until ctx ends.
func (f *Fake) Charge(ctx context.Context, c Charge) (Outcome, error) {
	o, err := f.receive(c)
	if err != nil || o.Status == Accepted || o.Status == Declined {
		return o, err
	}
	<-ctx.Done()
	return Outcome{}, ctx.Err()
}

func (f *Fake) receive(c Charge) (Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e, ok := f.entries[c.Ref]; ok {
		return e.outcome(), nil
	}
	e := Entry{Ref: c.Ref, AmountCents: c.AmountCents, Status: Accepted}
	if t, ok := trouble[c.Card.Number]; ok {
		if t.status == "" {
			return Outcome{}, nil
		}
		e.Status, e.Reason, e.Then = t.status, t.reason, t.then
	}
	if e.Status == Pending {
		e.DueMillis = time.Now().Add(f.late).UnixMilli()
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
	return e.outcome(), f.write(e)
}

// Lookup implements Provider.
func (f *Fake) Lookup(_ context.Context, ref string) (Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.entries[ref]
	if !ok {
		return Outcome{}, fmt.Errorf("look up %q: %w", ref, ErrUnknownRef)
	}
	return e.outcome(), nil
}

// Forbid implements Provider.
func (f *Fake) Forbid(_ context.Context, ref string) (Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.entries[ref]
	if ok && e.Status != Pending {
		return e.outcome(), nil
	}
	e = Entry{Ref: ref, AmountCents: e.AmountCents, Status: Declined, Reason: "forbidden"}
	return e.outcome(), f.write(e)
}

// Reverse implements Provider. A charge from before the ledger began is given back
// in good faith.
func (f *Fake) Reverse(_ context.Context, ref string, totalCents int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.entries[ref]
	if !ok {
		e = Entry{Ref: ref, AmountCents: totalCents, Status: Accepted}
	}
	switch {
	case e.Status == Declined:
		return nil // nothing was taken
	case e.Status == Pending:
		return f.write(Entry{Ref: ref, AmountCents: e.AmountCents, Status: Declined, Reason: "reversed"})
	case totalCents > e.AmountCents:
		return fmt.Errorf("reverse %q: %d cents are more than the %d charged", ref, totalCents, e.AmountCents)
	case totalCents <= e.ReturnedCents:
		return nil
	}
	e.ReturnedCents = totalCents
	return f.write(e)
}

// ledgerRetry is the pause after the ledger could not be written.
const ledgerRetry = 200 * time.Millisecond

// Run decides the charges that are due and delivers the answers until ctx ends. An
// answer that cannot be delivered is left to the shop's next Lookup; one that cannot
// be written down is tried again.
func (f *Fake) Run(ctx context.Context, deliver func(ctx context.Context, ref string, o Outcome) error) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-timer.C:
		}
		decided, next, err := f.decide(time.Now())
		if err != nil {
			f.log.Error("decide late charges", "error", err)
			next = ledgerRetry
		}
		for _, e := range decided {
			deliver(ctx, e.Ref, e.outcome()) //nolint:errcheck // the shop asks again
		}
		timer.Reset(next)
	}
}

// decide settles what is due at now, and says how long it is until the next.
func (f *Fake) decide(now time.Time) (decided []Entry, next time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next = time.Hour
	for _, e := range f.entries {
		if e.Status != Pending {
			continue
		}
		if wait := time.UnixMilli(e.DueMillis).Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		e.Status, e.Then, e.DueMillis = e.Then, "", 0
		if err := f.write(e); err != nil {
			return decided, next, err
		}
		decided = append(decided, e)
	}
	return decided, next, nil
}

// write keeps e, on the disk first. What a full disk has cut short is taken off
// again, or else overwritten by the next line.
func (f *Fake) write(e Entry) error {
	if f.file != nil {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		line = append(line, '\n')
		if _, err = f.file.WriteAt(line, f.size); err == nil {
			err = f.file.Sync()
		}
		if err != nil {
			return fmt.Errorf("write the provider's ledger: %w", errors.Join(err, f.file.Truncate(f.size)))
		}
		f.size += int64(len(line))
	}
	f.entries[e.Ref] = e
	return nil
}

func (e Entry) outcome() Outcome {
	if e.Status == Pending {
		return Outcome{Status: Pending}
	}
	return Outcome{Status: e.Status, Reason: e.Reason}
}
