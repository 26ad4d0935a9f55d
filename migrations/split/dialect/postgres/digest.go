package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// digest stands for a set of rows: how many, and the sum of their 64-bit hashes. A sum
// does not depend on the order, and a row that is there twice counts twice.
type digest struct {
	rows int64
	sum  string
}

func (s *snapshot) digest(ctx context.Context, shape *schema.Shape, after, upto value.Key) (digest, error) {
	l, err := s.layout(ctx, shape)
	if err != nil {
		return digest{}, err
	}
	var a args
	condition := l.within(after, upto, a.bind)
	query := fmt.Sprintf("SELECT count(*), sum(%s) FROM %s t WHERE %s", l.hash("t."), l.quoted(), condition)
	var d digest
	err = s.each(ctx, []field{{kind: value.Int}, {kind: value.Literal}}, query, a, func(r value.Row) error {
		d = digest{r[0].Int(), r[1].Text()}
		return nil
	})
	return d, wrapTable(shape, err)
}

// hashedColumns is how many columns of a row are hashed one by one: as many as an
// integer has bits for those that are NULL.
const hashedColumns = 31

// hash is SQL for the hash of a row. Each column's hash is the seed of the next one's:
// that costs a tenth of turning the row into text. The types that have no exact hash of
// their own are turned into text nevertheless, all at once.
func (l *layout) hash(prefix string) string {
	made := "0"
	var nulls, rest []string
	for _, f := range l.columns {
		column := prefix + quote(f.Name)
		h := f.hash(column, made)
		if h == "" || len(nulls) == hashedColumns {
			rest = append(rest, column)
			continue
		}
		nulls = append(nulls, fmt.Sprintf("((%s IS NULL)::int << %d)", column, len(nulls)))
		made = h
	}
	if nulls != nil {
		made = fmt.Sprintf("hashint4extended(%s, %s)", strings.Join(nulls, " | "), made)
	}
	if rest != nil {
		made = fmt.Sprintf(`hashtextextended(ROW(%s)::text COLLATE "C", %s)`, strings.Join(rest, ", "), made)
	}
	return made
}

// hash is SQL for the hash of a column, or empty if values that are not the same byte for
// byte could have the same. That rules out the own hashes of numbers (1.0 is 1.00, -0 is
// 0), and takes two for what hashint8extended folds to 32 bits: integers of 64 bits by
// their halves; time stamps by their fold and as a number of seconds, which is exact to
// a few milliseconds at worst.
func (f field) hash(column, seed string) string {
	or := func(null string) string { return fmt.Sprintf("coalesce(%s, %s)", column, null) }
	switch f.Base {
	case "boolean":
		return fmt.Sprintf("hashint4extended(%s::int, %s)", or("false"), seed)
	case "smallint", "integer":
		return fmt.Sprintf("hashint4extended(%s::int, %s)", or("0"), seed)
	case "bigint":
		n := or("0")
		return fmt.Sprintf("hashint8extended(%s >> 32, hashint8extended(%s & 4294967295, %s))", n, n, seed)
	case "text", "character varying":
		return fmt.Sprintf(`hashtextextended(%s::text COLLATE "C", %s)`, or("''"), seed)
	case "uuid":
		return fmt.Sprintf("uuid_hash_extended(%s, %s)", or("'00000000-0000-0000-0000-000000000000'"), seed)
	case "timestamp without time zone":
		t := or("'2000-01-01'")
		return fmt.Sprintf("hashfloat8extended(date_part('epoch', %s), timestamp_hash_extended(%s, %s))", t, t, seed)
	case "timestamp with time zone":
		t := or("'2000-01-01Z'")
		return fmt.Sprintf("hashfloat8extended(date_part('epoch', %s), timestamp_hash_extended(%s AT TIME ZONE 'UTC', %s))", t, t, seed)
	}
	return ""
}
