package notifications

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

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/internal/web"
)

// Options tune a Store. The zero value is fit for production, but delivers nothing.
type Options struct {
	Sink  string        // the file that messages are appended to; empty: they stay in the outbox
	Pause time.Duration // between looks into the outbox; 0 means 250 ms
	Log   *slog.Logger  // nil discards
}

// batchRows bounds one delivery; tailBytes is how much of the sink is read to find
// what a killed process had written: more than the largest batch.
const (
	batchRows = 200
	tailBytes = 1 << 20
)

// Store lists notifications and delivers them. It is safe for concurrent use; only
// one process at a time may deliver to a sink.
type Store struct {
	db   *sqlite.DB
	now  func() time.Time
	opts Options

	delivering sync.Mutex
	inStep     bool // the outbox notes everything that is in the sink
}

// New returns a Store on db, whose owner stays the caller.
func New(db *sqlite.DB, now func() time.Time, opts Options) *Store {
	opts.Pause = cmp.Or(opts.Pause, 250*time.Millisecond)
	opts.Log = cmp.Or(opts.Log, slog.New(slog.DiscardHandler))
	return &Store{db: db, now: now, opts: opts}
}

// List returns a page of a user's notifications, newest first.
func (s *Store) List(ctx context.Context, userID int64, p web.Paging) (web.Page[Notification], error) {
	var total int
	if err := s.db.GetContext(ctx, &total, `SELECT count(*) FROM notifications WHERE user_id = ?`, userID); err != nil {
		return web.Page[Notification]{}, fmt.Errorf("count notifications of user %d: %w", userID, err)
	}
	var items []Notification
	if err := s.db.SelectContext(ctx, &items, `
		SELECT id, kind, subject, body, created_at, sent_at
		FROM notifications
		WHERE user_id = ?
		ORDER BY id DESC
		LIMIT ? OFFSET ?`, userID, p.PerPage, p.Offset()); err != nil {
		return web.Page[Notification]{}, fmt.Errorf("list notifications of user %d: %w", userID, err)
	}
	return web.NewPage(p, items, total), nil
}

// Run delivers the outbox until ctx ends. What fails is logged and tried again.
func (s *Store) Run(ctx context.Context) error {
	if s.opts.Sink == "" {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(s.opts.Pause)
	defer tick.Stop()
	for {
		if err := s.Deliver(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.Error("deliver notifications", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// CheckSink opens the sink once, so that a path that cannot be written is known
// at the start. The error names the file and the remedy.
func (s *Store) CheckSink() error {
	if s.opts.Sink == "" {
		return nil
	}
	f, err := openSink(s.opts.Sink)
	if err != nil {
		return program.Fail(program.Usage, "give the path of a file that this user may write", "notifications %s: %w", s.opts.Sink, err)
	}
	return f.Close()
}

func openSink(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

// Deliver appends the whole outbox to the sink. A batch is on disk before the
// outbox notes it as sent; so the sink is asked first what of a batch is in it.
func (s *Store) Deliver(ctx context.Context) error {
	s.delivering.Lock()
	defer s.delivering.Unlock()
	for {
		batch, err := s.outbox(ctx)
		if err != nil || len(batch) == 0 {
			return err
		}
		checked := s.inStep
		s.inStep = false
		if err := s.write(batch, !checked); err != nil {
			return fmt.Errorf("write notifications to %s: %w", s.opts.Sink, err)
		}
		if err := s.markSent(ctx, batch); err != nil {
			return err
		}
		s.inStep = true
	}
}

func (s *Store) outbox(ctx context.Context) ([]Message, error) {
	var batch []Message
	if err := s.db.SelectContext(ctx, &batch, `
		SELECT n.id, n.user_id, u.email, n.kind, n.subject, n.body, n.created_at,
		       u.deleted_at IS NOT NULL AS gone
		FROM notifications n
		JOIN users u ON u.id = n.user_id
		WHERE n.sent_at IS NULL
		ORDER BY n.id
		LIMIT ?`, batchRows); err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return batch, nil
}

func (s *Store) markSent(ctx context.Context, batch []Message) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `
			UPDATE notifications
			SET sent_at = ?
			WHERE sent_at IS NULL AND id BETWEEN ? AND ?`,
			instant.From(s.now()), batch[0].ID, batch[len(batch)-1].ID); err != nil {
			return fmt.Errorf("mark notifications %d to %d as sent: %w", batch[0].ID, batch[len(batch)-1].ID, err)
		}
		return nil
	})
}

// write appends batch to the sink and waits until it is on disk. It leaves out
// messages to accounts that are gone and, with check, those already in the sink.
func (s *Store) write(batch []Message, check bool) (err error) {
	f, err := openSink(s.opts.Sink)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	var written map[messageKey]bool
	if check {
		if written, end, err = readTail(f, end); err != nil {
			return err
		}
	}
	var out bytes.Buffer
	for _, m := range batch {
		if m.Gone || written[m.key()] {
			continue
		}
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		out.Write(append(line, '\n'))
	}
	if _, err := f.WriteAt(out.Bytes(), end); err != nil {
		return err
	}
	return f.Sync()
}

// A messageKey tells messages apart, also those of two databases that use the
// same sink one after the other.
type messageKey struct {
	id, userID int64
	kind       string
	at         instant.Instant
}

func (m Message) key() messageKey { return messageKey{m.ID, m.UserID, m.Kind, m.CreatedAt} }

// readTail returns the last messages of the sink and the offset behind the last
// whole line: a line that was cut short is overwritten.
func readTail(f *os.File, size int64) (map[messageKey]bool, int64, error) {
	start := max(0, size-tailBytes)
	tail := make([]byte, size-start)
	if _, err := f.ReadAt(tail, start); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	whole := tail[:bytes.LastIndexByte(tail, '\n')+1]
	end := start + int64(len(whole))
	if end < size {
		if err := f.Truncate(end); err != nil {
			return nil, 0, err
		}
	}
	seen := map[messageKey]bool{}
	for line := range bytes.Lines(whole) {
		var m Message
		if json.Unmarshal(line, &m) == nil { // the first line may begin in the middle
			seen[m.key()] = true
		}
	}
	return seen, end, nil
}
