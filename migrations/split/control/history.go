package control

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// An Event is something that happened to a split. Kind says what, Data how.
type Event struct {
	At   time.Time       `json:"at"`
	Move string          `json:"move,omitempty"`
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data,omitempty"`
}

// NewEvent returns an event of this moment. data is anything that JSON can hold.
func NewEvent(move, kind string, data any) (Event, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return Event{}, fmt.Errorf("event %s: %w", kind, err)
	}
	return Event{At: time.Now().UTC(), Move: move, Kind: kind, Data: b}, nil
}

// Record writes events, all or none. Nothing that clients wait for should wait for it:
// collect events and record them afterwards.
func (s *Store) Record(ctx context.Context, split string, events ...Event) error {
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		for _, e := range events {
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO event (split, move, at, kind, data)
				VALUES (?, ?, ?, ?, ?)`, split, e.Move, e.At.UnixMilli(), e.Kind, string(e.Data)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return s.fail(err, "record the history", split)
	}
	return nil
}

// Amend writes an event in the place of an earlier one, id, and returns its id from now on.
// With 0 it is a new one. What was written meanwhile stays behind it.
func (s *Store) Amend(ctx context.Context, split string, id int64, e Event) (int64, error) {
	err := s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		return tx.GetContext(ctx, &id, `
			INSERT INTO event (id, split, move, at, kind, data)
			VALUES (nullif(?, 0), ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET data = excluded.data
			RETURNING id`, id, split, e.Move, e.At.UnixMilli(), e.Kind, string(e.Data))
	})
	if err != nil {
		return id, s.fail(err, "record the history", split)
	}
	return id, nil
}

// Events returns what happened to a split, in order. With a move, only to that one.
func (s *Store) Events(ctx context.Context, split, move string) ([]Event, error) {
	var rows []struct {
		At               int64
		Move, Kind, Data string
	}
	if err := s.db.SelectContext(ctx, &rows, `
		SELECT at, move, kind, data
		FROM event
		WHERE split = ? AND (? = '' OR move = ?)
		ORDER BY id`, split, move, move); err != nil {
		return nil, s.fail(err, "read the history", split)
	}
	events := make([]Event, len(rows))
	for i, r := range rows {
		events[i] = Event{At: time.UnixMilli(r.At).UTC(), Move: r.Move, Kind: r.Kind, Data: json.RawMessage(r.Data)}
	}
	return events, nil
}
