package state

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// asStored is a value of a database as JSON can hold it.
func asStored(v any) any {
	switch v := v.(type) {
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return "base64:" + base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return v
}

// toMicrosecond is as exactly as every database can hold a time.
const toMicrosecond = "2006-01-02T15:04:05.000000Z"

// asMeant is asStored for databases of different kinds, where one has no type for what the
// other has: a yes is 1, a fraction has no zeros at its end, text that is a time is that time,
// text that is JSON is that JSON.
func asMeant(v any) any {
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
		return 0
	case time.Time:
		return v.UTC().Format(toMicrosecond)
	case json.Number:
		return withoutZeros(v)
	}
	text, ok := asStored(v).(string)
	if !ok {
		return v
	}
	if at, ok := timeOf(text); ok {
		return at.UTC().Format(toMicrosecond)
	}
	if (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}

// withoutZeros cuts the zeros that end a fraction: NUMERIC(9,2) of PostgreSQL keeps 19.90, SQLite 19.9.
func withoutZeros(n json.Number) json.Number {
	if !strings.Contains(n.String(), ".") || strings.ContainsAny(n.String(), "eE") {
		return n
	}
	return json.Number(strings.TrimRight(strings.TrimRight(n.String(), "0"), "."))
}

// timeOf reads text that is a date and a time of day, as SQLite's functions and RFC 3339 write it;
// without a zone it is in UTC.
func timeOf(text string) (time.Time, bool) {
	const shortest, longest = len("2006-01-02 15:04:05"), len("2006-01-02T15:04:05.000000000+00:00")
	if len(text) < shortest || len(text) > longest || text[4] != '-' || text[10] != ' ' && text[10] != 'T' {
		return time.Time{}, false
	}
	text = text[:10] + "T" + text[11:]
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// mixed reports whether the databases are of different kinds.
func (s *Spec) mixed() bool {
	kinds := map[string]bool{}
	for _, list := range [...][]Database{s.Before, s.After} {
		for _, d := range list {
			kinds[kindOf(d.Driver)] = true
		}
	}
	return len(kinds) > 1
}

// kindOf lets the names that a driver goes by be one.
func kindOf(driver string) string {
	switch driver {
	case "sqlite3":
		return "sqlite"
	case "pgx":
		return "postgres"
	}
	return driver
}
