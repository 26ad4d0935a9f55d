package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// plainDefault is a default that is the next number of a sequence and nothing else.
var plainDefault = regexp.MustCompile(`^nextval\('[^']*(''[^']*)*'::regclass\)$`)

// wholes are the largest numbers that an identity of a type can be.
var wholes = map[string]int64{"smallint": 1<<15 - 1, "integer": 1<<31 - 1, "bigint": 1<<63 - 1}

// sequence finds what feeds a column of a table, and names what cannot be carried over
// so that no number is handed out twice.
func (in *inspector) sequence(ctx context.Context, t *schema.Table, r relation) error {
	sequences, err := r.sequences(ctx, in.c)
	if err != nil {
		return err
	}
	obstacle := func(remedy, format string, args ...any) {
		t.Obstacles = append(t.Obstacles, schema.Obstacle{Reason: fmt.Sprintf(format, args...), Remedy: remedy})
	}
	for _, c := range t.Columns {
		if fed := len(sequences) > 0 && sequences[0].Column == c.Name; !strings.Contains(c.Default, "nextval(") || fed && plainDefault.MatchString(c.Default) {
			continue
		}
		if len(sequences) < 2 { // else named below
			obstacle(fmt.Sprintf("let it be nextval('…'::regclass) alone, or drop it: ALTER TABLE %s ALTER %s DROP DEFAULT", r.name().quoted(), quote(c.Name)),
				"the default of column %s, %s, computes with a sequence, so that the numbers it would go on with cannot be told", c.Name, c.Default)
		}
	}
	if len(sequences) > 1 {
		obstacle("drop the default of one of them", "two sequences feed it, %s and %s; the engine carries over one a table", sequences[0].quoted(), sequences[1].quoted())
	}
	if len(sequences) == 0 {
		return nil
	}
	s := sequences[0]
	t.Sequence = &schema.Sequence{Name: s.quoted(), Column: s.Column, Step: s.Increment, Least: s.Minimum, Most: s.Maximum}
	if c := t.Column(s.Column); wholes[c.Type] == 0 {
		obstacle(fmt.Sprintf("ALTER TABLE %s ALTER %s TYPE bigint", r.name().quoted(), quote(c.Name)),
			"column %s, which the sequence %s feeds, has the type %s and not one of whole numbers", c.Name, s.quoted(), c.Type)
	}
	if s.Cycle {
		obstacle(fmt.Sprintf("ALTER SEQUENCE %s NO CYCLE", s.quoted()), "its sequence %s starts again when it is used up, so no number is the last", s.quoted())
	}
	others, err := r.alsoFed(ctx, in.c, s)
	if len(others) > 0 {
		in.notes = append(in.notes, fmt.Sprintf("sequence %s of %s feeds %s, too: once %s has moved, each has numbers of its own, and the same number may be in both",
			s.quoted(), t.Name, strings.Join(others, ", "), t.Name))
	}
	return err
}

// alsoFed names the columns of other tables that draw from a sequence.
func (r relation) alsoFed(ctx context.Context, c *pgx.Conn, s sequence) ([]string, error) {
	rows, err := c.Query(ctx, `
		SELECT DISTINCT a.adrelid::regclass::text || '.' || col.attname
		FROM pg_depend d
		JOIN pg_attrdef a ON a.oid = d.objid
		JOIN pg_attribute col ON col.attrelid = a.adrelid AND col.attnum = a.adnum
		WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND a.adrelid <> $2
		ORDER BY 1`, s.OID, r.OID)
	if err != nil {
		return nil, fmt.Errorf("who draws from sequence %s: %w", s.quoted(), err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// within are the bounds of a sequence as far as a column's type holds them: those of a
// sequence that is no column's own are wider.
func within(s *schema.Sequence, typ string) (least, most int64) {
	top := wholes[typ]
	return max(s.Least, -top-1), min(s.Most, top)
}
