package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// A Request is something that another command asks of the one that holds the lease.
type Request struct {
	ID   int64
	Kind string // cutover, pause, …
	Data json.RawMessage
}

// ErrNobody reports that whoever held the lease is gone without having answered.
var ErrNobody = errors.New("nobody works on this split any more")

// poll is how often either side looks, and patience how long a request is worth taking
// after its asker was last known to wait: nobody wants a cut-over of yesterday.
const (
	poll     = 20 * time.Millisecond
	patience = 3 * time.Second
)

// Ask puts a request to the holder of the lease and waits for the reply. It fails with
// ErrNobody when there is no holder (any more); then the request may have been carried
// out or not, and will not be from now on.
func (s *Store) Ask(ctx context.Context, split, kind string, data any) (json.RawMessage, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", kind, err)
	}
	var id int64
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, `
			INSERT INTO request (split, at, kind, data, generation, done, reply)
			VALUES (?, ?, ?, ?, 0, 0, '')`, split, time.Now().UnixMilli(), kind, string(b))
		if err == nil {
			id, err = res.LastInsertId()
		}
		return err
	})
	if err != nil {
		return nil, s.fail(err, "ask for "+kind, split)
	}
	reply, err := s.await(ctx, split, id)
	if err != nil {
		return nil, errors.Join(err, s.withdraw(context.WithoutCancel(ctx), id))
	}
	return reply, nil
}

func (s *Store) await(ctx context.Context, split string, id int64) (json.RawMessage, error) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for touched := time.Now(); ; {
		if time.Since(touched) > patience/3 {
			if err := s.touch(ctx, id); err != nil {
				return nil, err
			}
			touched = time.Now()
		}
		var r struct {
			Done  bool
			Reply string
		}
		if err := s.db.GetContext(ctx, &r, `SELECT done, reply FROM request WHERE id = ?`, id); err != nil {
			return nil, s.fail(err, "wait for the reply", split)
		}
		if r.Done {
			return json.RawMessage(r.Reply), nil
		}
		switch _, held, err := s.Holder(ctx, split); {
		case err != nil:
			return nil, err
		case !held:
			return nil, fmt.Errorf("split %s: %w", split, ErrNobody)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// touch says that the asker still waits.
func (s *Store) touch(ctx context.Context, id int64) error {
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE request SET at = ? WHERE id = ? AND done = 0`, time.Now().UnixMilli(), id)
		return err
	})
}

// withdraw keeps a request from being taken later.
func (s *Store) withdraw(ctx context.Context, id int64) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE request SET done = 1 WHERE id = ? AND done = 0`, id)
		return err
	})
}

// Next takes the oldest request that nobody has taken, waiting until there is one or ctx
// ends. A request that an earlier holder took and did not answer is never taken again:
// whoever asked is told that it was left alone, and asks again.
func (l *Lease) Next(ctx context.Context) (*Request, error) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if r, err := l.next(ctx); r != nil || err != nil {
			return r, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

func (l *Lease) next(ctx context.Context) (*Request, error) {
	var open int
	// Reading first keeps an idle holder from writing to the file 50 times a second.
	if err := l.store.db.GetContext(ctx, &open, `
		SELECT count(*)
		FROM request
		WHERE split = ? AND done = 0 AND generation = 0 AND at > ?`, l.split, time.Now().Add(-patience).UnixMilli()); err != nil {
		return nil, fmt.Errorf("look for requests about split %s: %w", l.split, err)
	}
	if open == 0 {
		return nil, nil
	}
	var rows []struct {
		ID         int64
		Kind, Data string
	}
	err := l.store.db.Tx(ctx, func(tx *sqlx.Tx) error {
		return tx.SelectContext(ctx, &rows, `
			UPDATE request
			SET generation = ?
			WHERE id = (SELECT min(id) FROM request WHERE split = ? AND done = 0 AND generation = 0 AND at > ?)
			RETURNING id, kind, data`, l.generation, l.split, time.Now().Add(-patience).UnixMilli())
	})
	if err != nil {
		return nil, fmt.Errorf("take a request about split %s: %w", l.split, err)
	}
	if len(rows) == 0 {
		return nil, nil // withdrawn meanwhile
	}
	return &Request{ID: rows[0].ID, Kind: rows[0].Kind, Data: json.RawMessage(rows[0].Data)}, nil
}

// Reply answers a request.
func (l *Lease) Reply(ctx context.Context, r *Request, reply any) error {
	b, err := json.Marshal(reply)
	if err != nil {
		return fmt.Errorf("reply to %s: %w", r.Kind, err)
	}
	return l.store.db.Tx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE request
			SET done = 1, reply = ?
			WHERE id = ? AND generation = ?`, string(b), r.ID, l.generation)
		return err
	})
}
