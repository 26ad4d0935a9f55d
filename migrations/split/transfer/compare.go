package transfer

import (
	"context"
	"errors"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// limitFindings is how many rows that differ one comparison names.
const limitFindings = 100

// ranged reports whether both sides put keys into the same order, so that the same range
// holds the same rows. Databases of different kinds may not.
func (w *Way) ranged() bool { return w.From.Info().Driver == w.To.Info().Driver }

// compareRange compares the rows behind after, at most limit of the side that leads. last
// is the last key; nil means that there was nothing more.
func (w *Way) compareRange(ctx context.Context, source, target dialect.Snapshot, table int, after value.Key, limit int) (last value.Key, n int64, found []Finding, err error) {
	from, to := w.shapes(table)
	c := w.comparison(table)
	var keys []value.Key
	r := dialect.Range{After: after, Limit: limit, Bytes: w.opts.BatchBytes}
	err = source.Rows(ctx, from, r, func(row value.Row) error {
		n++
		last = append(value.Key(nil), row[:from.Keys]...)
		if err := w.converted(table, row); err != nil {
			return err
		}
		keys = append(keys, value.Key(row[:to.Keys]))
		c.expect(row)
		return nil
	})
	if err != nil {
		return nil, n, nil, err
	}
	if w.ranged() {
		err = target.Rows(ctx, to, dialect.Range{After: after, Upto: last}, c.meet)
	} else {
		err = target.Lookup(ctx, to, keys, c.meet)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return last, n, c.findings(), err
}

// compareDirty compares the rows of keys that are marked, and returns the keys of those
// that are equal.
func (w *Way) compareDirty(ctx context.Context, source, target dialect.Snapshot, table, limit int) (found []Finding, equal []value.Key, err error) {
	from, to := w.shapes(table)
	keys, err := target.Dirty(ctx, to, limit)
	if err != nil || len(keys) == 0 {
		return nil, nil, err
	}
	c := w.comparison(table)
	err = source.Lookup(ctx, from, keys, func(row value.Row) error {
		if err := w.converted(table, row); err != nil {
			return err
		}
		c.expect(row)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if err := target.Lookup(ctx, to, keys, c.meet); err != nil && !errors.Is(err, errEnough) {
		return nil, nil, err
	}
	w.opts.Meter.count(Counts{Compared: int64(len(keys))})
	found = c.findings()
	bad := map[string]bool{}
	for _, f := range found {
		bad[f.key.Encode()] = true
	}
	for _, k := range keys {
		if !bad[k.Encode()] {
			equal = append(equal, k)
		}
	}
	return found, equal, nil
}

// compareCounts compares how many rows there are. Where ranges could be compared rows
// too many have been found by then; elsewhere this is what finds them.
func (w *Way) compareCounts(ctx context.Context, source, target dialect.Snapshot, table int) ([]Finding, error) {
	from, to := w.shapes(table)
	want, err := source.Count(ctx, from)
	if err != nil {
		return nil, err
	}
	have, err := target.Count(ctx, to)
	if err != nil || want == have {
		return nil, err
	}
	return w.extra(ctx, source, target, table)
}

// extra finds rows that only the side that follows has.
func (w *Way) extra(ctx context.Context, source, target dialect.Snapshot, table int) ([]Finding, error) {
	from, to := w.shapes(table)
	var found []Finding
	var after value.Key
	for {
		c := w.comparison(table)
		var keys []value.Key
		err := target.Rows(ctx, to, dialect.Range{After: after, Limit: 10_000, Bytes: w.opts.BatchBytes}, func(row value.Row) error {
			keys = append(keys, append(value.Key(nil), row[:to.Keys]...))
			c.expect(row)
			return nil
		})
		if err != nil || len(keys) == 0 {
			return found, err
		}
		err = source.Lookup(ctx, from, keys, func(row value.Row) error {
			if err := w.converted(table, row); err != nil {
				return err
			}
			return c.meet(row)
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
		for _, f := range c.findings() {
			if f.Kind == Missing { // seen from the other side
				f.Kind = Extra
				found = append(found, f)
			}
		}
		if len(found) >= limitFindings {
			return found, nil
		}
		after = keys[len(keys)-1]
	}
}

// A comparison holds the rows of one side until those of the other have come.
type comparison struct {
	way   *Way
	table int
	rows  map[string]value.Row
	order []string
	met   map[string]bool // keys that are equal to the database may lead to one row
	found []Finding
}

// errEnough ends a comparison that has found as many rows as it will name.
var errEnough = errors.New("enough rows differ")

func (w *Way) comparison(table int) *comparison {
	return &comparison{way: w, table: table, rows: map[string]value.Row{}, met: map[string]bool{}}
}

// expect takes a row of the side that leads.
func (c *comparison) expect(row value.Row) {
	_, to := c.way.shapes(c.table)
	code := value.Key(row[:to.Keys]).Encode()
	c.rows[code] = row
	c.order = append(c.order, code)
}

// meet takes a row of the side that follows.
func (c *comparison) meet(row value.Row) error {
	_, to := c.way.shapes(c.table)
	key := append(value.Key(nil), row[:to.Keys]...)
	code := key.Encode()
	want, ok := c.rows[code]
	met := c.met[code]
	c.met[code] = true
	switch {
	case met:
		return nil
	case !ok:
		c.add(Extra, key, nil)
	case !want.Equal(row):
		var columns []Column
		for i, name := range to.Names {
			if want[i] != row[i] {
				columns = append(columns, Column{Name: name, Source: show(want[i]), Target: show(row[i])})
			}
		}
		c.add(Differs, key, columns)
	}
	delete(c.rows, code)
	if len(c.found) >= limitFindings {
		return errEnough
	}
	return nil
}

// show names the kind of a value, too: 1 and "1" differ by nothing else.
func show(v value.Value) string {
	if v.IsNull() {
		return v.String()
	}
	return v.Kind().String() + " " + v.String()
}

func (c *comparison) add(kind string, key value.Key, columns []Column) {
	_, to := c.way.shapes(c.table)
	c.found = append(c.found, Finding{Table: to.Table.Name, Key: key.String(), Kind: kind, Columns: columns, key: key, table: c.table})
}

// findings ends the comparison: what has not been met is missing.
func (c *comparison) findings() []Finding {
	if len(c.found) >= limitFindings {
		return c.found
	}
	_, to := c.way.shapes(c.table)
	for _, code := range c.order {
		if row, ok := c.rows[code]; ok && len(c.found) < limitFindings {
			c.add(Missing, value.Key(row[:to.Keys]), nil)
		}
	}
	return c.found
}
