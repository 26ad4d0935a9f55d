package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/internal/pgtest"
)

func open(t *testing.T) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// TestNoTwoValuesHashTheSame asks the server for the hashes of values that are easy to
// take for each other. What stands in for NULL is among them.
func TestNoTwoValuesHashTheSame(t *testing.T) {
	t.Parallel()
	c := open(t)
	for base, values := range map[string]string{
		"boolean":                     `true, false`,
		"smallint":                    `0, 1, -1, 32767, -32768`,
		"integer":                     `0, 1, -1, 65536, 2147483647, -2147483648`,
		"bigint":                      `0, 1, -1, 4294967295, 4294967296, -4294967296, 4294967297, 2147483648, -2147483648, 9223372036854775807, -9223372036854775808`,
		"text":                        `'', ' ', 'a', 'a ', 'A', 'é', E'e\u0301', '0', 'NULL'`,
		"character varying":           `'', ' ', 'a', 'a ', 'A'`,
		"character":                   `'', 'a', 'A'`,
		"uuid":                        `'00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000001', '10000000-0000-0000-0000-000000000000'`,
		"timestamp without time zone": `'2000-01-01', '1999-12-31 23:59:59.999999', '2000-01-01 00:00:00.000001', 'infinity', '-infinity', '4713-01-01 BC', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999998', '2000-01-01 01:11:34.967296'`,
		"timestamp with time zone":    `'2000-01-01Z', '2000-01-01+01', 'infinity', '-infinity', '4713-01-01 BC', '294276-12-31 23:59:59.999999Z', '294276-12-31 23:59:59.999998Z'`,
		"numeric":                     `0, 0.0, 1, 1.0, 1.00, 'NaN', 'Infinity'`,
		"double precision":            `0, '-0', 'NaN', 'Infinity', 5e-324, 0.1, 0.30000000000000004, 0.3`,
		"jsonb":                       `'1', '1.0', 'null', '"1"', '{}', '[]'`,
		"bytea":                       `'', '\x00', '\x0000', '\x5c'`,
	} {
		l := &layout{columns: []field{{Name: "v", Base: base}}}
		var distinct, all int
		query := fmt.Sprintf(`SELECT count(DISTINCT %s), count(*) FROM unnest(ARRAY[NULL, %s]::%s[]) AS t(v)`, l.hash("t."), values, base)
		if err := c.QueryRow(t.Context(), query).Scan(&distinct, &all); err != nil {
			t.Fatalf("%s: %v", base, err)
		}
		if want := strings.Count(values, ",") + 2; distinct != want || all != want {
			t.Errorf("%s: %d hashes of %d values, want %d", base, distinct, all, want)
		}
	}
}

// TestFoldedNumbersHashDifferently takes pairs of numbers that hashint8extended itself
// cannot tell apart, as integers and as microseconds of a time stamp.
func TestFoldedNumbersHashDifferently(t *testing.T) {
	t.Parallel()
	const pairs = 5000
	var numbers []int64
	for range pairs {
		high, low, other := rand.Int32N(1<<18), rand.Uint32(), rand.Int32N(1<<18)
		numbers = append(numbers, int64(high)<<32|int64(low), int64(other)<<32|int64(low^uint32(high)^uint32(other))) //nolint:gosec // neither is negative
	}
	c := open(t)
	integer := &layout{columns: []field{{Name: "n", Base: "bigint"}}}
	stamp := &layout{columns: []field{{Name: "s", Base: "timestamp without time zone"}}}
	query := fmt.Sprintf(`SELECT count(DISTINCT n), count(DISTINCT hashint8extended(n, 0)), count(DISTINCT timestamp_hash_extended(s, 0)), count(DISTINCT %s), count(DISTINCT %s)
		FROM (SELECT n, timestamp '2000-01-01' + n * interval '1 microsecond' AS s FROM unnest($1::bigint[]) AS n) t`, integer.hash("t."), stamp.hash("t."))
	var values, folded, foldedStamps, integers, stamps int
	if err := c.QueryRow(t.Context(), query, numbers).Scan(&values, &folded, &foldedStamps, &integers, &stamps); err != nil {
		t.Fatal(err)
	}
	if folded > pairs || foldedStamps > pairs+pairs/10 {
		t.Errorf("%d numbers have %d folds, %d as time stamps: the test shows nothing", values, folded, foldedStamps)
	}
	if integers != values || stamps != values {
		t.Errorf("%d numbers have %d hashes, and %d as time stamps", values, integers, stamps)
	}
}

// TestColumnsAreNotMixedUp: what moves from one column to another is a difference, also
// behind those that are hashed one by one.
func TestColumnsAreNotMixedUp(t *testing.T) {
	t.Parallel()
	c := open(t)
	const columns = 80
	l := &layout{}
	var names, kinds []string
	for i := range columns {
		name, base := fmt.Sprintf("c%d", i), []string{"integer", "text", "bigint", "numeric"}[i%4]
		l.columns = append(l.columns, field{Name: name, Base: base})
		names, kinds = append(names, name), append(kinds, name+" "+base)
	}
	do := func(statement string) {
		t.Helper()
		if _, err := c.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	do(fmt.Sprintf(`CREATE TABLE t (%s)`, strings.Join(kinds, ", ")))
	do(`INSERT INTO t SELECT`) // all are NULL
	for _, value := range []string{"0", "1"} {
		for _, n := range names {
			do(fmt.Sprintf(`INSERT INTO t (%s) VALUES ('%s')`, n, value))
		}
	}
	var distinct int
	if err := c.QueryRow(t.Context(), fmt.Sprintf(`SELECT count(DISTINCT %s) FROM t`, l.hash("t."))).Scan(&distinct); err != nil {
		t.Fatal(err)
	}
	if want := 2*columns + 1; distinct != want {
		t.Errorf("%d hashes of %d rows", distinct, want)
	}
}
