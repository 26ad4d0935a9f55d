package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/stranglerfig/toolkit/internal/pause"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// Lead opens this side for applications and logs what they change.
func (w *writer) Lead(ctx context.Context, r dialect.Record) error {
	return w.role(ctx, true, r, func(l *layout, s *schema.Shape, watched []watch) []string {
		return slices.Concat(l.captured().installSQL(), unsealSQL(l.name), passOffSQL(l, s, watched))
	})
}

// Follow closes this side for everybody but the engine. Its capture stays: what nobody
// but the engine can write logs nothing. So do the application's triggers, which do not
// answer replicas.
func (w *writer) Follow(ctx context.Context, r dialect.Record) error {
	return w.role(ctx, false, r, func(l *layout, s *schema.Shape, watched []watch) []string {
		message, hint := refusal(s.Table.Name, w.m.Split, r)
		return slices.Concat(l.captured().installSQL(), passSQL(l, s, watched), sealSQL(l.name, message, hint))
	})
}

func (w *writer) role(ctx context.Context, leads bool, r dialect.Record, statements func(l *layout, s *schema.Shape, watched []watch) []string) error {
	if err := alone(ctx, w.tx, w.m); err != nil {
		return err
	}
	w.d.forgetLayouts() // the tables may be others than before: this is how a lost capture is mended
	watched, err := watches(ctx, w.tx.Conn(), w.d, w.m)
	if err != nil {
		return err
	}
	for _, one := range watched { // before the tables, as an application that deletes a parent locks them
		if err := w.install(ctx, one); err != nil {
			return err
		}
	}
	for _, s := range w.m.Shapes {
		l, err := w.layout(ctx, s)
		if err != nil {
			return err
		}
		all := besideSQL(l)
		if l.needsIndex() { // made by Prepare unless the table is new, and empty
			all = append(all, l.orderIndexSQL("IF NOT EXISTS"))
		}
		if err := w.patiently(ctx, append(all, statements(l, s, watched)...)); err != nil {
			return wrapTable(s, explain(err))
		}
		if r.Epoch == 0 {
			continue
		}
		if _, err := w.tx.Exec(ctx, `
			INSERT INTO _strangler_owner (table_name, owner, epoch, decided_at)
			VALUES ($1, $2, $3, now())
			ON CONFLICT (table_name) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch, decided_at = excluded.decided_at`,
			s.Table.Name, r.Owner, r.Epoch); err != nil {
			return wrapTable(s, explain(err))
		}
	}
	if _, err := w.tx.Exec(ctx, `UPDATE _strangler_move SET leads = $2 WHERE split = $1`, w.m.Split, leads); err != nil {
		return explain(err)
	}
	if leads && r.Epoch > 0 {
		if err := dialect.SettleLoose(ctx, w); err != nil {
			return explain(err)
		}
	}
	return explain(remember(ctx, w.tx, w.m))
}

// patiently runs statements that need locks in short attempts, giving back between
// them what an attempt got.
func (w *writer) patiently(ctx context.Context, statements []string) error {
	for attempt := 1; ; attempt++ {
		if _, err := w.tx.Exec(ctx, fmt.Sprintf("SAVEPOINT _strangler_attempt; SET LOCAL lock_timeout = %d", lockAttempt.Milliseconds())); err != nil {
			return err
		}
		err := execAll(ctx, w.tx, statements)
		if err == nil {
			_, err = w.tx.Exec(ctx, fmt.Sprintf("RELEASE SAVEPOINT _strangler_attempt; SET LOCAL lock_timeout = %d", writerPatience.Milliseconds()))
			return err
		}
		if !isCode(err, codeLockTimeout, codeDeadlock) || attempt == lockAttempts {
			return err
		}
		if _, err := w.tx.Exec(ctx, "ROLLBACK TO SAVEPOINT _strangler_attempt"); err != nil {
			return err
		}
		if err := pause.For(ctx, lockPause/2+rand.N(lockPause)); err != nil {
			return err
		}
	}
}

// RaiseSequence makes the next generated key lie beyond high. What a sequence has handed
// out it does not take back, not even with the transaction; going too far loses nothing
// but numbers.
func (w *writer) RaiseSequence(ctx context.Context, s *schema.Shape, high int64) error {
	seq := s.Table.Sequence
	if seq == nil {
		return nil
	}
	pick := "greatest"
	if seq.Step < 0 {
		pick = "least"
	}
	_, err := w.tx.Exec(ctx, fmt.Sprintf(`
		SELECT setval(%s, %s(%d, last_value), is_called OR %s(%d, last_value) <> last_value OR %d = last_value)
		FROM %s`, literal(seq.Name), pick, high, pick, high, high, seq.Name))
	if err != nil {
		return fmt.Errorf("table %s: raise sequence %s to %d: %w", s.Table.Name, seq.Name, high, explain(err))
	}
	return nil
}
