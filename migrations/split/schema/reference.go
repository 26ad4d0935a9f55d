package schema

import (
	"strings"
)

// Reference names columns of a table as plans do: table.column, more columns joined by
// commas. A name that holds anything but letters, digits, _ and $ stands in double quotes,
// as in SQL; a table's may also hold dots, as in schema.table.
func Reference(table string, columns []string) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = quoted(c, "")
	}
	return quoted(table, ".") + "." + strings.Join(names, ",")
}

func quoted(name, also string) string {
	plain := func(r rune) bool {
		return r == '_' || r == '$' || r >= 0x80 || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune(also, r)
	}
	if name != "" && strings.TrimFunc(name, plain) == "" && strings.Trim(name, ".") == name && !strings.Contains(name, "..") {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// ParseReference reads what Reference writes, with spaces after the commas or without. ok
// is false for anything else.
func ParseReference(text string) (table string, columns []string, ok bool) {
	var parts []string // between dots, but the last one is taken apart at commas, too
	for rest := text; ; {
		name, after, good := cutName(rest)
		if !good {
			return "", nil, false
		}
		if parts = append(parts, name); after == "" {
			break
		}
		sign := after[0]
		rest = strings.TrimLeft(after[1:], " ")
		switch {
		case sign == '.' && columns == nil && rest == after[1:]:
		case sign == ',' && len(parts) > 1:
			columns = append(columns, name)
		default:
			return "", nil, false
		}
	}
	last := len(parts) - 1
	columns = append(columns, parts[last])
	if first := last - len(columns) + 1; first > 0 {
		return strings.Join(parts[:first], "."), columns, true
	}
	return "", nil, false
}

// cutName takes a name off the beginning of text.
func cutName(text string) (name, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, `.,"`)
		if end < 0 {
			end = len(text)
		}
		name, rest = text[:end], text[end:]
		return name, rest, name != "" && !strings.ContainsAny(name, " \t\r\n") && !strings.HasPrefix(rest, `"`)
	}
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] != '"':
		case i+1 < len(text) && text[i+1] == '"':
			i++
		default:
			return strings.ReplaceAll(text[1:i], `""`, `"`), text[i+1:], i > 1 && (i+1 == len(text) || text[i+1] == '.' || text[i+1] == ',')
		}
	}
	return "", "", false
}
