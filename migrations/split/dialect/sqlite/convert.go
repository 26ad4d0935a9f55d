package sqlite

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

var _ dialect.Converter = (*Database)(nil)

// Convert returns how rows of another kind of database become rows of this one: each
// value as SQLite would store it in its column, so that what came from here goes back
// as it was. Rows of SQLite stay as they are.
func (d *Database) Convert(driver string, _, to *schema.Shape) (func(value.Row) error, []schema.Obstacle) {
	if driver == d.Info().Driver {
		return nil, nil
	}
	columns := to.Columns()
	return func(row value.Row) error {
		for i, c := range columns[:len(row)] {
			v, err := stored(row[i], c.Type)
			if err != nil {
				return fmt.Errorf("column %s: %s does not fit into SQLite: %w", c.Name, row[i], err)
			}
			row[i] = v
		}
		return nil
	}, nil
}

// stored is a value as a column of a declared type stores it.
func stored(v value.Value, declared string) (value.Value, error) {
	d := strings.ToUpper(declared)
	contains := func(part string) bool { return strings.Contains(d, part) }
	switch {
	case contains("INT"):
		return number(v, true)
	case contains("CHAR"), contains("CLOB"), contains("TEXT"):
		if v.Kind() == value.Literal {
			return value.OfText(v.Text()), nil
		}
		return v, nil
	case contains("BLOB"), d == "":
		return v, nil
	case contains("REAL"), contains("FLOA"), contains("DOUB"): //nolint:misspell // SQLite's rule
		return number(v, false)
	}
	return number(v, true)
}

// number is a value in a column that prefers numbers: whole ones, or those with a point.
// What is not a number stays a text.
func number(v value.Value, whole bool) (value.Value, error) {
	switch v.Kind() {
	case value.Literal:
		n, err := parse(v.Text())
		if err != nil {
			return v, err
		}
		v = n
	case value.Text:
		if _, err := strconv.ParseFloat(strings.TrimSpace(v.Text()), 64); err == nil {
			return v, errors.New("a text that looks like a number would become one")
		}
	}
	switch {
	case v.Kind() == value.Int && !whole:
		return value.OfReal(float64(v.Int())), nil
	case v.Kind() == value.Real && math.IsNaN(v.Real()):
		return v, errors.New("SQLite stores NaN as NULL")
	case v.Kind() == value.Real && whole && v.Real() == math.Trunc(v.Real()) && math.Abs(v.Real()) < 1<<63:
		return value.OfInt(int64(v.Real())), nil
	}
	return v, nil
}

// parse reads what a literal of another database stands for: a number, a truth value, or
// a text such as a date.
func parse(literal string) (value.Value, error) {
	switch literal {
	case "t":
		return value.OfInt(1), nil
	case "f":
		return value.OfInt(0), nil
	}
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
		return value.OfInt(n), nil
	}
	f, err := strconv.ParseFloat(literal, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return value.OfText(literal), nil
	case err != nil || strconv.FormatFloat(f, 'f', -1, 64) != literal:
		return value.Value{}, errors.New("it has more digits than a floating-point number keeps")
	}
	return value.OfReal(f), nil
}
