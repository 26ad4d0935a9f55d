package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// readerPatience is how long a read waits for an ALTER TABLE or TRUNCATE of the
// application that is under way.
const readerPatience = time.Second

// snapshot is a REPEATABLE READ transaction that locked its tables before it looked.
type snapshot struct {
	reader
	conn *pgxpool.Conn
	m    dialect.Move
}

// Snapshot begins to read one state.
func (d *DB) Snapshot(ctx context.Context, m dialect.Move) (dialect.Snapshot, error) {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, explain(err)
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		conn.Release()
		return nil, explain(err)
	}
	s := &snapshot{reader: reader{d: d, tx: tx}, conn: conn, m: m}
	if err := s.lock(ctx); err != nil {
		s.Close()
		return nil, explain(err)
	}
	return s, nil
}

// lock keeps TRUNCATE and rewrites away from the moment before the snapshot is taken.
// A table that is gone is Captured's to report.
func (s *snapshot) lock(ctx context.Context) error {
	_, err := s.tx.Exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", readerPatience.Milliseconds()))
	if err != nil {
		return err
	}
	for _, shape := range s.m.Shapes {
		n := parseName(shape.Table.Name)
		_, err := s.tx.Exec(ctx, "LOCK TABLE "+n.quoted()+" IN ACCESS SHARE MODE")
		if isCode(err, codeNoTable) {
			return &dialect.LostError{Table: shape.Table.Name, Reason: "the table is gone"}
		}
		if err != nil {
			return fmt.Errorf("table %s: %w", shape.Table.Name, err)
		}
	}
	return nil
}

func (s *snapshot) Close() error {
	rollback(context.Background(), s.tx)
	s.conn.Release()
	return nil
}

func (s *snapshot) Captured(ctx context.Context) error { return explain(recognize(ctx, s.tx, s.m)) }

// places is the Handle of a Log: which lines these are. A line is known by its place
// and its number together, because VACUUM FULL gives lines other places.
type places map[string]*linesOf

type linesOf struct {
	ctids []string
	seqs  []int64
}

func (s *snapshot) Log(ctx context.Context, limit int) (dialect.Log, error) {
	log, handle := dialect.Log{}, places{}
	log.Handle = handle
	for _, shape := range s.m.Shapes {
		l, err := s.layout(ctx, shape)
		if err != nil {
			return log, err
		}
		left := limit - len(log.Entries) + 1 // one more, to know whether there is more
		lines, err := s.lines(ctx, l, shape.Table.Name, left, &log)
		if err != nil {
			return log, fmt.Errorf("log of table %s: %w", shape.Table.Name, err)
		}
		handle[shape.Table.Name] = lines
		if len(log.Entries) > limit {
			log.More = true
			log.Entries = log.Entries[:limit]
			lines.ctids, lines.seqs = lines.ctids[:len(lines.ctids)-1], lines.seqs[:len(lines.seqs)-1]
			break
		}
	}
	return log, nil
}

// lines reads up to limit lines of one table's log.
func (s *snapshot) lines(ctx context.Context, l *layout, table string, limit int, log *dialect.Log) (*linesOf, error) {
	c := l.captured()
	fields := append([]field{{Name: "seq", kind: value.Int}, {Name: "ctid", kind: value.Text}, {Name: "age", kind: value.Literal}}, l.columns[:l.keys]...)
	// The age is computed by the clock that wrote the time.
	query := fmt.Sprintf(`SELECT seq, ctid, extract(epoch FROM clock_timestamp() - at) AS age, %s FROM %s LIMIT %d`, strings.Join(c.logColumns(""), ", "), c.log(), limit)
	lines := &linesOf{}
	return lines, s.each(ctx, fields, query, nil, func(row value.Row) error {
		lines.seqs, lines.ctids = append(lines.seqs, row[0].Int()), append(lines.ctids, row[1].Text())
		e := dialect.Entry{Table: table}
		if age, err := strconv.ParseFloat(row[2].Text(), 64); err == nil {
			e.At = time.Now().Add(-time.Duration(age * float64(time.Second)))
		}
		if log.Oldest.IsZero() || e.At.Before(log.Oldest) {
			log.Oldest = e.At
		}
		if !row[3].IsNull() {
			e.Key = value.Key(row[3:])
		}
		log.Entries = append(log.Entries, e)
		return nil
	})
}

func (s *snapshot) Pending(ctx context.Context, shape *schema.Shape, key value.Key) (bool, error) {
	l, err := s.layout(ctx, shape)
	if err != nil {
		return false, err
	}
	c := l.captured()
	same := make([]string, l.keys)
	args := make([][]byte, l.keys)
	for i, f := range l.columns[:l.keys] {
		same[i] = fmt.Sprintf("k%d = $%d::%s", i+1, i+1, f.Type)
		args[i] = text(key[i])
	}
	return s.truth(ctx, fmt.Sprintf(`SELECT EXISTS (SELECT FROM %s WHERE k1 IS NULL OR (%s))`, c.log(), strings.Join(same, " AND ")), args)
}

func (s *snapshot) Dirty(ctx context.Context, shape *schema.Shape, limit int) ([]value.Key, error) {
	l, err := s.layout(ctx, shape)
	if err != nil {
		return nil, err
	}
	var keys []value.Key
	query := fmt.Sprintf(`SELECT %s FROM %s LIMIT %d`, strings.Join(l.captured().logColumns(""), ", "), dirtyTable(l.name), limit)
	return keys, s.each(ctx, l.columns[:l.keys], query, nil, func(row value.Row) error {
		keys = append(keys, value.Key(row))
		return nil
	})
}

func (s *snapshot) LogCount(ctx context.Context, most int64) (int64, error) {
	n, err := s.sum(ctx, func(l *layout) string { return fmt.Sprintf("(SELECT FROM %s LIMIT %d) AS l", l.captured().log(), most) }, s.m)
	return min(n, most), err
}

func (s *snapshot) DirtyCount(ctx context.Context) (int64, error) {
	return s.sum(ctx, func(l *layout) string { return dirtyTable(l.name) }, s.m)
}

func (s *snapshot) Count(ctx context.Context, shape *schema.Shape) (int64, error) {
	l, err := s.layout(ctx, shape)
	if err != nil {
		return 0, err
	}
	var n int64
	return n, explain(s.tx.QueryRow(ctx, "SELECT count(*) FROM "+l.quoted()).Scan(&n))
}

// Fraction looks where between the least and the greatest key one stands, if keys are
// integers. Of others the planner's statistics know how they are spread, if there are any.
func (s *snapshot) Fraction(ctx context.Context, shape *schema.Shape, key value.Key) (float64, error) {
	if key == nil {
		return 0, nil
	}
	l, err := s.layout(ctx, shape)
	if err != nil {
		return 0, err
	}
	if len(key) == 1 && key[0].Kind() == value.Int {
		var part float64
		k := quote(l.columns[0].Name)
		err := s.tx.QueryRow(ctx, fmt.Sprintf(`SELECT coalesce(($1::float8 - min(%s)) / nullif(max(%s) - min(%s), 0), 1)::float8 FROM %s`, k, k, k, l.quoted()), float64(key[0].Int())).Scan(&part)
		return min(1, max(0, part)), explain(err)
	}
	var analyzed bool
	if err := s.tx.QueryRow(ctx, `SELECT reltuples >= 0 FROM pg_class WHERE oid = $1`, l.oid).Scan(&analyzed); err != nil || !analyzed {
		return -1, explain(err)
	}
	var a args
	query := fmt.Sprintf("SELECT FROM %s t WHERE %s", l.quoted(), l.within(nil, key, a.bind))
	part, err := s.planned(ctx, query, a)
	if err != nil {
		return 0, err
	}
	whole, err := s.planned(ctx, fmt.Sprintf("SELECT FROM %s t", l.quoted()), nil)
	if err != nil || whole <= 0 {
		return 0, err
	}
	return min(1, part/whole), nil
}

// HighWater looks at the sequence and at the table, there only at what the sequence could
// ever hand out.
func (s *snapshot) HighWater(ctx context.Context, shape *schema.Shape) (int64, bool, error) {
	seq := shape.Table.Sequence
	if seq == nil {
		return 0, false, nil
	}
	l, err := s.layout(ctx, shape)
	if err != nil {
		return 0, false, err
	}
	// A sequence that was never used has handed out nothing: the number before its first.
	extreme, pick := "max", "greatest"
	if seq.Step < 0 {
		extreme, pick = "min", "least"
	}
	var high int64
	err = s.tx.QueryRow(ctx, fmt.Sprintf(`
		SELECT %[1]s((SELECT CASE WHEN is_called THEN last_value ELSE last_value - %[2]d END FROM %[3]s), (SELECT %[4]s(%[5]s)::bigint FROM %[6]s WHERE %[5]s BETWEEN %[7]d AND %[8]d))`,
		pick, seq.Step, seq.Name, extreme, quote(seq.Column), l.quoted(), seq.Least, seq.Most)).Scan(&high)
	if err != nil {
		return 0, false, fmt.Errorf("sequence %s: %w", seq.Name, explain(err))
	}
	return high, true, nil
}

// errStop ends a read early.
var errStop = errors.New("enough")
