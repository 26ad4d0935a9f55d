package sqlite

import "strings"

// words lists the identifiers in a piece of SQL, in small letters: what stands in
// comments and texts does not count. It is coarse on purpose: a name too many makes a
// plan ask, a name too few would hide something.
func words(sql string) map[string]bool {
	found := map[string]bool{}
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case strings.HasPrefix(sql[i:], "--"):
			i = skipTo(sql, i, "\n")
		case strings.HasPrefix(sql[i:], "/*"):
			i = skipTo(sql, i+2, "*/")
		case c == '\'':
			_, i = quoted(sql, i, '\'')
		case c == '"' || c == '`':
			var word string
			word, i = quoted(sql, i, c)
			found[strings.ToLower(word)] = true
		case c == '[':
			end := skipTo(sql, i, "]")
			found[strings.ToLower(strings.Trim(sql[i:end], "[]"))] = true
			i = end
		case isWord(c):
			end := i
			for end < len(sql) && isWord(sql[end]) {
				end++
			}
			found[strings.ToLower(sql[i:end])] = true
			i = end
		default:
			i++
		}
	}
	return found
}

func skipTo(sql string, from int, end string) int {
	at := strings.Index(sql[from:], end)
	if at < 0 {
		return len(sql)
	}
	return from + at + len(end)
}

// quoted reads what stands between quotes; a doubled quote is a quote.
func quoted(sql string, from int, mark byte) (string, int) {
	var b strings.Builder
	for i := from + 1; i < len(sql); i++ {
		if sql[i] != mark {
			b.WriteByte(sql[i])
			continue
		}
		if i+1 < len(sql) && sql[i+1] == mark {
			b.WriteByte(mark)
			i++
			continue
		}
		return b.String(), i + 1
	}
	return b.String(), len(sql)
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
