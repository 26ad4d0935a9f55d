package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/internal/filelock"
	"github.com/stranglerfig/toolkit/internal/program"
)

// A Holder says who works on a split.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Doing string    `json:"doing"` // run, cutover, …
	Since time.Time `json:"since"`
}

// NewHolder is this process from now on.
func NewHolder(doing string) Holder {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return Holder{PID: os.Getpid(), Host: host, Doing: doing, Since: time.Now().UTC()}
}

// String names the zone of the time: who reads it may be on another machine.
func (h Holder) String() string {
	return fmt.Sprintf("strangler split %s, process %d on %s, since %s", h.Doing, h.PID, h.Host, h.Since.UTC().Format("2006-01-02 15:04:05 UTC"))
}

// A HeldError reports that somebody else works on the split.
type HeldError struct {
	Split  string
	Holder Holder
	Seen   time.Duration // since its last sign of life
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("split %s is in the hands of %s", e.Split, e.Holder)
}

// ErrReplaced reports that somebody has taken over a lease because its holder gave no
// sign of life.
var ErrReplaced = errors.New("somebody has taken over, because there was no sign of life from here")

// A Lease is the right to work on a split on this machine. It ends with Release, or with
// the process, however that ends.
type Lease struct {
	store      *Store
	split      string
	generation int64
	lock       *os.File
	stop       context.CancelFunc
	done       sync.WaitGroup
}

// row is a lease as it stands in the file.
type row struct {
	Generation int64
	Holder     string
	Beat       int64
}

// Acquire takes the lease of a split, or returns a *HeldError at once. A holder whose
// process is gone is replaced, and so is one that was silent for too long. lost is called,
// at most once, when the lease was taken over by somebody else.
func (s *Store) Acquire(ctx context.Context, split, doing string, lost func(error)) (*Lease, error) {
	holder, err := json.Marshal(NewHolder(doing))
	if err != nil {
		return nil, err
	}
	l := &Lease{store: s, split: split}
	err = s.db.Tx(ctx, func(tx *sqlx.Tx) error {
		var have row
		if err := tx.GetContext(ctx, &have, `
			SELECT coalesce(max(generation), 0) AS generation, coalesce(max(holder), '') AS holder, coalesce(max(beat), 0) AS beat
			FROM lease
			WHERE split = ?`, split); err != nil {
			return err
		}
		if err := s.free(split, have); err != nil {
			return err
		}
		l.generation = have.Generation + 1
		if err := l.take(); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO lease (split, generation, holder, beat)
			VALUES (?, ?, ?, ?)
			ON CONFLICT (split) DO UPDATE SET generation = excluded.generation, holder = excluded.holder, beat = excluded.beat`,
			split, l.generation, string(holder), time.Now().UnixMilli())
		return err
	})
	if err != nil {
		l.drop()
		var held *HeldError
		if errors.As(err, &held) {
			return nil, err
		}
		return nil, s.fail(err, "take the lease", split)
	}
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.done.Go(func() { l.beat(beating, lost) })
	return l, nil
}

// free reports whether nobody holds the lease that have describes.
func (s *Store) free(split string, have row) error {
	if have.Holder == "" {
		return nil
	}
	f, err := os.OpenFile(s.lockPath(split, have.Generation), os.O_RDWR, 0o644)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil // the last thing that a holder removes
	case err != nil:
		return program.Fail(program.Usage, "give this user the right to write there", "look whether the holder of split %s is alive: %w", split, err)
	}
	defer f.Close()
	if err := filelock.Exclusive(f); !errors.Is(err, filelock.ErrHeld) {
		if err == nil {
			os.Remove(f.Name())
		}
		return err // its process is gone
	}
	if silent := time.Since(time.UnixMilli(have.Beat)); silent < s.opts.Silence {
		held := &HeldError{Split: split, Seen: silent}
		if err := json.Unmarshal([]byte(have.Holder), &held.Holder); err != nil {
			return s.fail(err, "read who works", split)
		}
		return held
	}
	return nil
}

func (s *Store) lockPath(split string, generation int64) string {
	return filepath.Join(filepath.Dir(s.path), fmt.Sprintf("%s.%s-%d.lock", filepath.Base(s.path), strings.ReplaceAll(split, string(filepath.Separator), "_"), generation))
}

// take locks a file of this generation's own: its lock tells whether the process lives.
func (l *Lease) take() error {
	f, err := os.OpenFile(l.store.lockPath(l.split, l.generation), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return program.Fail(program.Usage, "give this user the right to write there", "take the lease of split %s: %w", l.split, err)
	}
	l.lock = f
	return filelock.Exclusive(f)
}

func (l *Lease) drop() {
	if l.lock == nil {
		return
	}
	os.Remove(l.lock.Name())
	l.lock.Close()
}

// Generation grows with every lease of a split.
func (l *Lease) Generation() int64 { return l.generation }

// Release gives the lease back. It may be called once.
func (l *Lease) Release() error {
	l.stop()
	l.done.Wait()
	defer l.drop()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // also when the command was interrupted
	defer cancel()
	err := l.store.db.Tx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE lease
			SET holder = ''
			WHERE split = ? AND generation = ?`, l.split, l.generation)
		return err
	})
	if err != nil {
		return l.store.fail(err, "give the lease back", l.split)
	}
	return nil
}

// beat gives signs of life until ctx ends or the lease is lost. An error of the file is no
// reason to stop: the databases are the truth, and the claim guards them.
func (l *Lease) beat(ctx context.Context, lost func(error)) {
	tick := time.NewTicker(l.store.opts.Silence / 10)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var mine int64
		err := l.store.db.Tx(ctx, func(tx *sqlx.Tx) error {
			res, err := tx.ExecContext(ctx, `
				UPDATE lease
				SET beat = ?
				WHERE split = ? AND generation = ?`, time.Now().UnixMilli(), l.split, l.generation)
			if err == nil {
				mine, err = res.RowsAffected()
			}
			return err
		})
		if err == nil && mine == 0 {
			if lost != nil {
				lost(fmt.Errorf("split %s: %w", l.split, ErrReplaced))
			}
			return
		}
	}
}

// Holder tells who works on a split; ok is false if nobody does.
func (s *Store) Holder(ctx context.Context, split string) (h Holder, ok bool, err error) {
	var have []row
	if err := s.db.SelectContext(ctx, &have, `
		SELECT generation, holder, beat
		FROM lease
		WHERE split = ?`, split); err != nil {
		return h, false, s.fail(err, "read who works", split)
	}
	if len(have) == 0 {
		return h, false, nil
	}
	var held *HeldError
	if err := s.free(split, have[0]); !errors.As(err, &held) {
		return h, false, err
	}
	return held.Holder, true, nil
}
