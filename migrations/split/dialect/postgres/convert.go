package postgres

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
	"github.com/stranglerfig/toolkit/migrations/split/value"
)

// Values come from SQLite by the table below and by nothing else. What cannot be brought
// back as it was is refused: a time stamp that PostgreSQL would write in another way, a
// number that it would round. A conversion changes one value or says why it does not fit.
type conversion func(value.Value) (value.Value, error)

var _ dialect.Converter = (*DB)(nil)

// Convert returns how rows of SQLite become rows of this database.
func (d *DB) Convert(driver string, from, to *schema.Shape) (func(value.Row) error, []schema.Obstacle) {
	if driver == Driver {
		return nil, sameTypes(from, to)
	}
	var obstacles []schema.Obstacle
	add := func(remedy, format string, args ...any) {
		obstacles = append(obstacles, schema.Obstacle{Reason: fmt.Sprintf(format, args...), Remedy: remedy})
	}
	sources, targets := from.Columns(), to.Columns()
	conversions := make([]conversion, len(sources))
	for i := range sources {
		source, target := sources[i], targets[i]
		var unfit string
		conversions[i], unfit = conversionOf(source.Type, target.Type)
		if unfit != "" {
			add("declare it in the target as one of "+remedyFor(source.Type), "column %s of type %q does not fit into %s: %s", source.Name, source.Type, target.Type, unfit)
			continue
		}
		if i < from.Keys && !identity(target.Type) {
			add("declare it in the target as bigint, text or bytea", "column %s of the key would be another kind of value as %s", source.Name, target.Type)
		}
	}
	return func(row value.Row) error {
		for i, convert := range conversions {
			v, err := convert(row[i])
			if err != nil {
				return fmt.Errorf("column %s: %s does not fit into %s: %w", sources[i].Name, row[i], targets[i].Type, err)
			}
			row[i] = v
		}
		return nil
	}, obstacles
}

// identity reports whether values keep their kind in a type.
func identity(typ string) bool {
	return slices.Contains([]value.Kind{value.Int, value.Text, value.Blob}, kindOf(baseOf(typ)))
}

// baseOf is a type without its length.
func baseOf(typ string) string {
	before, rest, found := strings.Cut(typ, "(")
	if !found {
		return typ
	}
	_, after, _ := strings.Cut(rest, ")") // timestamp(3) without time zone
	return strings.TrimSpace(before) + after
}

// remedyFor names types that take what a column of SQLite holds.
func remedyFor(declared string) string {
	switch affinity(declared) {
	case "INTEGER":
		return "bigint, numeric"
	case "REAL":
		return "double precision"
	case "TEXT":
		return "text"
	case "BLOB":
		return "bytea"
	}
	return "double precision, numeric, or text for what is a text"
}

// conversionOf is the table. unfit says why there is no conversion.
func conversionOf(declared, typ string) (c conversion, unfit string) {
	has := affinity(declared)
	base := baseOf(typ)
	switch base {
	case "smallint", "integer", "bigint":
		return integers(base), ""
	case "double precision":
		if has == "BLOB" || has == "TEXT" {
			return nil, "SQLite would keep integers apart from numbers with a point"
		}
		return floats, ""
	case "numeric":
		if base != typ {
			return nil, "numbers would get as many digits as its scale says"
		}
		if has != "INTEGER" {
			return nil, "SQLite's numbers with a point are not decimal"
		}
		return ofKind(value.Int, func(v value.Value) (value.Value, error) {
			return value.OfLiteral(strconv.FormatInt(v.Int(), 10)), nil
		}), ""
	case "text", "character varying":
		return texts(typ), ""
	case "bytea":
		return ofKind(value.Blob, keep), ""
	case "boolean":
		return booleans, ""
	case "json", "uuid", "date", "timestamp without time zone", "time without time zone":
		if base != typ {
			return nil, "fractions of a second would be rounded"
		}
		return literals(canonical[base]), ""
	}
	return nil, "PostgreSQL would write its values in another way than SQLite holds them"
}

func keep(v value.Value) (value.Value, error) { return v, nil }

// ofKind is a conversion for one kind of values; NULL passes.
func ofKind(kind value.Kind, convert conversion) conversion {
	return func(v value.Value) (value.Value, error) {
		switch v.Kind() {
		case value.Null:
			return v, nil
		case kind:
			return convert(v)
		}
		return v, fmt.Errorf("it is stored as %s, not as %s", v.Kind(), kind)
	}
}

func integers(base string) conversion {
	bits := map[string]uint{"smallint": 16, "integer": 32, "bigint": 64}[base]
	return ofKind(value.Int, func(v value.Value) (value.Value, error) {
		if most := int64(1)<<(bits-1) - 1; v.Int() > most || v.Int() < -most-1 {
			return v, fmt.Errorf("it is out of range")
		}
		return v, nil
	})
}

// exact is up to where a float64 tells all integers apart.
const exact = 1 << 53

func floats(v value.Value) (value.Value, error) {
	switch v.Kind() {
	case value.Null, value.Real:
		return v, nil
	case value.Int:
		if v.Int() > exact || v.Int() < -exact {
			return v, fmt.Errorf("it is an integer that a floating-point number would round")
		}
		return value.OfReal(float64(v.Int())), nil
	}
	return v, fmt.Errorf("it is stored as %s, not as a number", v.Kind())
}

func booleans(v value.Value) (value.Value, error) {
	switch {
	case v.IsNull():
		return v, nil
	case v.Kind() == value.Int && v.Int() == 0:
		return value.OfLiteral("f"), nil
	case v.Kind() == value.Int && v.Int() == 1:
		return value.OfLiteral("t"), nil
	}
	return v, fmt.Errorf("only the integers 0 and 1 are truth values")
}

// texts takes texts that PostgreSQL can hold, up to the length of the type.
func texts(typ string) conversion {
	most := math.MaxInt
	if _, length, ok := strings.Cut(strings.TrimSuffix(typ, ")"), "("); ok {
		most, _ = strconv.Atoi(length)
	}
	return ofKind(value.Text, func(v value.Value) (value.Value, error) {
		switch s := v.Text(); {
		case !utf8.ValidString(s):
			return v, fmt.Errorf("its bytes are not UTF-8")
		case strings.Contains(s, "\x00"):
			return v, fmt.Errorf("it holds a NUL")
		case utf8.RuneCountInString(s) > most:
			return v, fmt.Errorf("it is longer than %d characters", most)
		}
		return v, nil
	})
}

// canonical are the texts that a type gives back as they were; json gives back all.
var canonical = map[string]*regexp.Regexp{
	"uuid":                        regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`),
	"date":                        regexp.MustCompile(`^\d{4}-\d\d-\d\d$`),
	"time without time zone":      regexp.MustCompile(`^\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?$`),
	"timestamp without time zone": regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{0,5}[1-9])?$`),
}

func literals(form *regexp.Regexp) conversion {
	valid := texts("text")
	return ofKind(value.Text, func(v value.Value) (value.Value, error) {
		if _, err := valid(v); err != nil {
			return v, err
		}
		if form != nil && !form.MatchString(v.Text()) {
			return v, fmt.Errorf("it would be written in another way")
		}
		return value.OfLiteral(v.Text()), nil
	})
}

// sameTypes looks at two tables of PostgreSQL: a type may be wider in the target, but a
// value must be written there as it is here.
func sameTypes(from, to *schema.Shape) []schema.Obstacle {
	var all []schema.Obstacle
	sources, targets := from.Columns(), to.Columns()
	for i, s := range sources {
		t := targets[i]
		a, b := baseOf(s.Type), baseOf(t.Type)
		if a == b && (s.Type == t.Type || a == "numeric" && t.Type == "numeric" || kindOf(a) == value.Text && a != "character") {
			continue
		}
		if kindOf(a) == kindOf(b) && kindOf(a) == value.Int || kindOf(a) == value.Text && a != "character" && (b == "text" || b == "character varying") && a != "citext" {
			continue // what is too large is refused when it comes
		}
		all = append(all, schema.Obstacle{
			Reason: fmt.Sprintf("column %s is of type %s in the source and of type %s in the target", s.Name, s.Type, t.Type),
			Remedy: "give it the same type",
		})
	}
	return all
}
