package sqlite

import "strings"

// words0 is SQL without its comments, texts and quoted names, so that a word that is
// found in it is a keyword.
func words0(sql string) string {
	var b strings.Builder
	for i := 0; i < len(sql); {
		switch c := sql[i]; {
		case strings.HasPrefix(sql[i:], "--"):
			i = skipTo(sql, i, "\n")
		case strings.HasPrefix(sql[i:], "/*"):
			i = skipTo(sql, i+2, "*/")
		case c == '\'' || c == '"' || c == '`':
			_, i = quoted(sql, i, c)
		case c == '[':
			i = skipTo(sql, i, "]")
		default:
			b.WriteByte(c)
			i++
			continue
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// A piece is a part of a statement between two commas or parentheses of one depth.
type piece struct{ from, to int }

// list finds the first parentheses of sql at or behind from and what stands between the
// commas in them.
func list(sql string, from int) (pieces []piece, end int) {
	depth, begin := 0, 0
	for i := from; i < len(sql); {
		switch c := sql[i]; {
		case strings.HasPrefix(sql[i:], "--"):
			i = skipTo(sql, i, "\n")
			continue
		case strings.HasPrefix(sql[i:], "/*"):
			i = skipTo(sql, i+2, "*/")
			continue
		case c == '\'' || c == '"' || c == '`':
			_, i = quoted(sql, i, c)
			continue
		case c == '[':
			i = skipTo(sql, i, "]")
			continue
		case c == '(':
			if depth++; depth == 1 {
				begin = i + 1
			}
		case c == ')':
			if depth--; depth == 0 {
				return append(pieces, piece{begin, i}), i + 1
			}
		case c == ',' && depth == 1:
			pieces = append(pieces, piece{begin, i})
			begin = i + 1
		}
		i++
	}
	return pieces, len(sql)
}

// expressionsOf lists the parts of a CREATE INDEX statement, without COLLATE, ASC and
// DESC at their ends.
func expressionsOf(sql string) []string {
	pieces, _ := list(sql, 0)
	var parts []string
	for _, p := range pieces {
		parts = append(parts, plainTerm(sql[p.from:p.to]))
	}
	return parts
}

func plainTerm(term string) string {
	term = strings.TrimSpace(term)
	for {
		upper := strings.ToUpper(term)
		fields := strings.Fields(upper)
		switch {
		case strings.HasSuffix(upper, " ASC"):
			term = strings.TrimSpace(term[:len(term)-4])
		case strings.HasSuffix(upper, " DESC"):
			term = strings.TrimSpace(term[:len(term)-5])
		case len(fields) > 2 && fields[len(fields)-2] == "COLLATE":
			term = strings.TrimSpace(term[:strings.LastIndex(upper, "COLLATE")])
		default:
			return term
		}
	}
}

// whereOf is the condition of a partial index.
func whereOf(sql string) string {
	_, end := list(sql, 0)
	rest := strings.TrimSpace(sql[end:])
	if len(rest) > 5 && strings.EqualFold(rest[:5], "WHERE") {
		return strings.TrimSpace(rest[5:])
	}
	return ""
}
