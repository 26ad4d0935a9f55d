package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// sight is what the engine looks at to know that no write went by: the table, its
// columns, and the triggers with their functions.
type sight struct {
	Tbl     string
	Rel     uint32 // 0: there is no such table
	Columns string
	Capture string // the triggers and the functions that they call
	Seal    string
}

// look reads the sights of tables, in one statement because it is asked with each batch.
func look(ctx context.Context, tx pgx.Tx, tables []string) ([]sight, error) {
	places, logs := make([]string, len(tables)), make([]string, len(tables))
	for i, t := range tables {
		n := parseName(t)
		places[i], logs[i] = n.quoted(), captured{name: n}.log()
	}
	rows, err := tx.Query(ctx, `
		SELECT u.tbl, coalesce(c.oid, 0) AS rel,
			coalesce((SELECT string_agg(format('%s %s%s%s', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
					CASE WHEN a.attnotnull THEN ' not null' END, CASE WHEN a.attgenerated <> '' THEN ' generated' END), ', ' ORDER BY a.attnum)
				FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '') AS columns,
			coalesce((SELECT string_agg(format('%s %s %s', t.tgname, t.tgenabled, md5(pg_get_triggerdef(t.oid) || p.prosrc)), ', ' ORDER BY t.tgname)
				FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = c.oid AND t.tgname = ANY($3::text[])), '')
				|| format(', log %s', to_regclass(u.log)::oid) AS capture,
			coalesce((SELECT string_agg(format('%s %s', t.tgname, t.tgenabled), ', ' ORDER BY t.tgname)
				FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = ANY($4::text[])), '') AS seal
		FROM unnest($1::text[], $2::text[], $5::text[]) AS u(tbl, place, log)
		LEFT JOIN pg_class c ON c.oid = to_regclass(u.place)
		ORDER BY u.tbl`, tables, places, []string{captureTrigger, truncateTrigger}, []string{sealTrigger, sealTruncate}, logs)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[sight])
}

// remember records what the tables look like now.
func remember(ctx context.Context, tx pgx.Tx, m dialect.Move) error {
	sights, err := look(ctx, tx, tableNames(m))
	if err != nil {
		return err
	}
	for _, s := range sights {
		if _, err := tx.Exec(ctx, `
			INSERT INTO _strangler_captured (split, tbl, rel, columns, capture) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (split, tbl) DO UPDATE SET rel = excluded.rel, columns = excluded.columns, capture = excluded.capture`,
			m.Split, s.Tbl, s.Rel, s.Columns, s.Capture); err != nil {
			return err
		}
	}
	return nil
}

// otherSplits lists the tables of other splits.
func otherSplits(ctx context.Context, tx pgx.Tx, split string) (map[string]string, error) {
	rows, err := tx.Query(ctx, `SELECT tbl, split FROM _strangler_captured WHERE split <> $1`, split)
	if err != nil {
		return nil, err
	}
	pairs, err := collectPairs(rows)
	if err != nil {
		return nil, err
	}
	others := map[string]string{}
	for _, p := range pairs {
		others[p[0]] = p[1]
	}
	return others, nil
}

// alone makes sure that no table of the move is part of another split, however that spells
// its name.
func alone(ctx context.Context, tx pgx.Tx, m dialect.Move) error {
	var table, other string
	err := tx.QueryRow(ctx, `
		SELECT c.rel::regclass::text, c.split
		FROM _strangler_captured c JOIN pg_class r ON r.oid = c.rel
		WHERE c.split <> $1 AND c.rel IN (SELECT to_regclass(t) FROM unnest($2::text[]) t)
		LIMIT 1`, m.Split, quotedNames(m)).Scan(&table, &other)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("table %s is part of split %s: %w", table, other, dialect.ErrOtherSplit)
}

func quotedNames(m dialect.Move) []string {
	names := tableNames(m)
	for i, n := range names {
		names[i] = parseName(n).quoted()
	}
	return names
}

func tableNames(m dialect.Move) []string {
	names := make([]string, len(m.Shapes))
	for i, s := range m.Shapes {
		names[i] = s.Table.Name
	}
	return names
}

// recognize compares what the tables look like with what was recorded.
func recognize(ctx context.Context, tx pgx.Tx, m dialect.Move) error {
	var leads bool
	if err := tx.QueryRow(ctx, `SELECT leads FROM _strangler_move WHERE split = $1`, m.Split).Scan(&leads); err != nil {
		return fmt.Errorf("split %s: read its record: %w", m.Split, err)
	}
	rows, err := tx.Query(ctx, `SELECT tbl, rel, columns, capture, '' AS seal FROM _strangler_captured WHERE split = $1`, m.Split)
	if err != nil {
		return err
	}
	recorded, err := pgx.CollectRows(rows, pgx.RowToStructByName[sight])
	if err != nil {
		return err
	}
	want := map[string]sight{}
	for _, s := range recorded {
		want[s.Tbl] = s
	}
	found, err := look(ctx, tx, tableNames(m))
	if err != nil {
		return err
	}
	for _, s := range found {
		if reason := s.differs(want[s.Tbl], leads); reason != "" {
			return &dialect.LostError{Table: s.Tbl, Reason: reason}
		}
	}
	return nil
}

// differs says how a table differs from what was recorded; empty: not at all.
func (s sight) differs(want sight, leads bool) string {
	closed := fmt.Sprintf("%s A, %s A", sealTrigger, sealTruncate)
	switch {
	case s.Rel == 0:
		return "the table is gone"
	case s.Rel != want.Rel:
		return "it is another table of the same name"
	case s.Columns != want.Columns:
		return "its columns changed: " + changed(want.Columns, s.Columns)
	case s.Capture != want.Capture:
		return "its capture changed: " + changed(inWords(want.Capture), inWords(s.Capture))
	case !leads && s.Seal != closed:
		return "its guard was taken away, so that others may have written it"
	}
	return ""
}

// changed lists what went and what came among parts separated by commas.
func changed(before, after string) string {
	was, is := strings.Split(before, ", "), strings.Split(after, ", ")
	var all []string
	for _, p := range was {
		if !slices.Contains(is, p) {
			all = append(all, "-"+p)
		}
	}
	for _, p := range is {
		if !slices.Contains(was, p) && p != "" {
			all = append(all, "+"+p)
		}
	}
	if all == nil {
		return "the order of " + before
	}
	return strings.Join(all, ", ")
}

// inWords says what the state of the triggers is, for people.
func inWords(capture string) string {
	words := strings.NewReplacer(" A ", " always ", " O ", " not for replicas ", " R ", " for replicas only ", " D ", " disabled ")
	return words.Replace(capture)
}
