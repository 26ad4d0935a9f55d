package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// writer is a transaction that writes as the engine.
type writer struct {
	reader
	conn *pgxpool.Conn
	m    dialect.Move
	ctx  context.Context //nolint:containedctx // Commit and Rollback have none of their own
	end  func()          // of the fuse; nil: nobody waits
	done bool
}

// writerPatience is how long a write waits for a lock: on the side that follows, an
// ALTER TABLE of somebody; in the log, nothing.
const writerPatience = 2 * time.Second

// fenceGrace is how much longer than the plan allows the server keeps a fence whose
// coordinator says nothing, e.g. because it was stopped where there is no fuse, or because
// the network between them is gone. Who comes back finds its transaction ended.
const fenceGrace = 3 * time.Second

var _ dialect.Lazy = (*DB)(nil)

// lazily lets the transaction's commit return before it is on the disk. What a crash of the
// server takes back then are the last commits, each as a whole.
const lazily = "SET LOCAL synchronous_commit = off"

// BeginLazily is Begin with a commit that does not wait for the disk.
func (d *DB) BeginLazily(ctx context.Context, m dialect.Move) (dialect.Tx, error) {
	w, err := d.begin(ctx, m)
	if err != nil {
		return nil, err
	}
	if _, err := w.tx.Exec(ctx, lazily); err != nil {
		return nil, errors.Join(explain(err), w.Rollback())
	}
	return w, nil
}

// Begin begins to write as the engine.
func (d *DB) Begin(ctx context.Context, m dialect.Move) (dialect.Tx, error) {
	w, err := d.begin(ctx, m)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (d *DB) begin(ctx context.Context, m dialect.Move) (*writer, error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, explain(err)
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		conn.Release()
		return nil, explain(err)
	}
	w := &writer{reader: reader{d: d, tx: tx}, conn: conn, m: m, ctx: ctx}
	if err := w.enter(); err != nil {
		w.Rollback() //nolint:errcheck // never fails
		return nil, explain(err)
	}
	return w, nil
}

// enter checks the claim and makes this the engine's own transaction. The lock on the
// claim's row makes a new coordinator wait for this transaction's end.
func (w *writer) enter() error {
	if _, err := w.tx.Exec(w.ctx, fmt.Sprintf(`
		SET LOCAL lock_timeout = %d; SET LOCAL strangler.applying = '1'; SET LOCAL session_replication_role = 'replica'`,
		writerPatience.Milliseconds())); err != nil {
		return err
	}
	var claim int64
	switch err := w.tx.QueryRow(w.ctx, `SELECT claim FROM _strangler_move WHERE split = $1 AND move = $2 FOR SHARE`, w.m.Split, w.m.ID).Scan(&claim); {
	case errors.Is(err, pgx.ErrNoRows) || isCode(err, codeNoTable):
		return fmt.Errorf("split %s: its record is gone from %s: %w", w.m.Split, w.d.info.Name, dialect.ErrOtherMove)
	case err != nil:
		return err
	case claim != w.m.Claim:
		return fmt.Errorf("split %s: claim %d was replaced by %d: %w", w.m.Split, w.m.Claim, claim, dialect.ErrClaimLost)
	}
	return nil
}

// Fence is Begin that locks the tables against every other writer, and waits for those
// that are writing.
func (d *DB) Fence(ctx context.Context, m dialect.Move) (dialect.Tx, error) {
	w, err := d.begin(ctx, m)
	if err != nil {
		return nil, err
	}
	w.end = d.fuse.Hold()
	if err := w.fence(); err != nil {
		w.Rollback() //nolint:errcheck // never fails
		return nil, fmt.Errorf("fence: %w", explain(err))
	}
	return w, nil
}

// fence asks for the lock in short attempts, as long as the context lasts: behind one that
// waits for a long transaction, every other writer would wait, too.
func (w *writer) fence() error {
	settings := fmt.Sprintf("SET LOCAL idle_in_transaction_session_timeout = %d;", (w.m.Fence + fenceGrace).Milliseconds())
	if w.d.alone {
		// An ordinary vacuum steps aside when somebody who waits for it looks for
		// deadlocks, which is a second later unless this is shorter.
		settings += "SET LOCAL deadlock_timeout = '10ms';"
	}
	if _, err := w.tx.Exec(w.ctx, settings); err != nil {
		return err
	}
	all := make([]string, len(w.m.Shapes))
	for i, s := range w.m.Shapes {
		all[i] = parseName(s.Table.Name).quoted()
	}
	return w.patiently(w.ctx, []string{fmt.Sprintf("LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE", strings.Join(all, ", "))})
}

func (w *writer) Commit() error {
	if w.done {
		return pgx.ErrTxClosed
	}
	defer w.leave()
	return explain(w.tx.Commit(w.ctx))
}

func (w *writer) Rollback() error {
	if !w.done {
		defer w.leave()
		rollback(w.ctx, w.tx)
	}
	return nil
}

func (w *writer) leave() {
	w.done = true
	w.conn.Release()
	if w.end != nil {
		w.end()
	}
}

// run is a statement with text parameters.
func (w *writer) run(ctx context.Context, s *schema.Shape, query string, args [][]byte) error {
	return wrapTable(s, w.each(ctx, nil, query, args, func(value.Row) error { return nil }))
}

func (w *writer) DeleteRange(ctx context.Context, s *schema.Shape, after, upto value.Key) error {
	l, err := w.layout(ctx, s)
	if err != nil {
		return err
	}
	var a args
	query := fmt.Sprintf("DELETE FROM %s t WHERE %s", l.quoted(), l.within(after, upto, a.bind))
	return w.run(ctx, s, query, a)
}

func (w *writer) DeleteKeys(ctx context.Context, s *schema.Shape, keys []value.Key) error {
	l, err := w.layout(ctx, s)
	if err != nil || len(keys) == 0 {
		return err
	}
	return w.run(ctx, s, fmt.Sprintf("DELETE FROM %s t USING %s WHERE %s", l.quoted(), l.unnest(1), l.joined()), l.keyList(keys))
}

// dirtyTable holds the keys that have to be compared again.
func dirtyTable(n name) string { return n.sibling(objectOf("dirty", n.Table)) }

func dirtySQL(l *layout) []string {
	columns := make([]string, l.keys)
	for i, f := range l.columns[:l.keys] {
		columns[i] = fmt.Sprintf("k%d %s", i+1, f.Type)
	}
	names := strings.Join(l.captured().logColumns(""), ", ")
	return []string{fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (%s, PRIMARY KEY (%s))", dirtyTable(l.name), strings.Join(columns, ", "), names)}
}

func (w *writer) MarkDirty(ctx context.Context, s *schema.Shape, keys []value.Key) error {
	l, err := w.layout(ctx, s)
	if err != nil || len(keys) == 0 {
		return err
	}
	return w.run(ctx, s, fmt.Sprintf("INSERT INTO %s SELECT * FROM %s ON CONFLICT DO NOTHING", dirtyTable(l.name), l.unnest(1)), l.keyList(keys))
}

func (w *writer) ClearDirty(ctx context.Context, s *schema.Shape, keys []value.Key) error {
	l, err := w.layout(ctx, s)
	if err != nil || len(keys) == 0 {
		return err
	}
	same := make([]string, l.keys)
	for i := range same {
		same[i] = fmt.Sprintf("d.k%d = k.k%d", i+1, i+1)
	}
	return w.run(ctx, s, fmt.Sprintf("DELETE FROM %s d USING %s WHERE %s", dirtyTable(l.name), l.unnest(1), strings.Join(same, " AND ")), l.keyList(keys))
}

func (w *writer) Enqueue(ctx context.Context, s *schema.Shape, keys []value.Key) error {
	l, err := w.layout(ctx, s)
	if err != nil || len(keys) == 0 {
		return err
	}
	c := l.captured()
	return w.run(ctx, s, fmt.Sprintf("INSERT INTO %s (%s) SELECT * FROM %s", c.log(), strings.Join(c.logColumns(""), ", "), l.unnest(1)), l.keyList(keys))
}

// Prune deletes exactly the lines that were read.
func (w *writer) Prune(ctx context.Context, log dialect.Log) error {
	handle, ok := log.Handle.(places)
	if !ok {
		return fmt.Errorf("prune: the log was read from another kind of database")
	}
	for _, s := range w.m.Shapes {
		lines := handle[s.Table.Name]
		if lines == nil || len(lines.seqs) == 0 {
			continue
		}
		l, err := w.layout(ctx, s)
		if err != nil {
			return err
		}
		_, err = w.tx.Exec(ctx, fmt.Sprintf(`
			DELETE FROM %s l
			USING unnest($1::text[]::tid[], $2::bigint[]) AS d(place, seq)
			WHERE l.ctid = d.place AND l.seq = d.seq`, l.captured().log()), lines.ctids, lines.seqs)
		if err != nil {
			return wrapTable(s, explain(err))
		}
	}
	return nil
}

func (w *writer) Pending(ctx context.Context) (int64, error) {
	return w.sum(ctx, func(l *layout) string { return l.captured().log() }, w.m)
}
