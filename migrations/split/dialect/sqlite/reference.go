package sqlite

import "strings"

// A token is a word, a quoted name or a sign of SQL, and where it stands.
type token struct {
	text     string // words in capitals, quoted names without quotes
	quoted   bool
	from, to int
}

// tokens takes SQL apart; comments are left out.
func tokens(sql string) []token {
	var all []token
	for i := 0; i < len(sql); {
		from, c := i, sql[i]
		t := token{from: from}
		switch {
		case strings.HasPrefix(sql[i:], "--"):
			i = skipTo(sql, i, "\n")
			continue
		case strings.HasPrefix(sql[i:], "/*"):
			i = skipTo(sql, i+2, "*/")
			continue
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '\'' || c == '"' || c == '`':
			t.text, i = quoted(sql, i, c)
			t.quoted = true
		case c == '[':
			i = skipTo(sql, i, "]")
			t.text, t.quoted = strings.Trim(sql[from:i], "[]"), true
		case isWord(c):
			for i < len(sql) && isWord(sql[i]) {
				i++
			}
			t.text = strings.ToUpper(sql[from:i])
		default:
			i++
			t.text = sql[from:i]
		}
		t.to = i
		all = append(all, t)
	}
	return all
}

func (t token) is(words ...string) bool {
	if t.quoted {
		return false
	}
	for _, w := range words {
		if t.text == w {
			return true
		}
	}
	return false
}

// cutReference takes a reference to an outer table out of a column's or constraint's
// definition. whole says that nothing else is left of it: it was a FOREIGN KEY.
func cutReference(definition string, outer func(parent string) bool) (rest string, whole bool) {
	all := tokens(definition)
	for i, t := range all {
		if !t.is("REFERENCES") || i+1 >= len(all) || !outer(nameOf(definition, all[i+1])) {
			continue
		}
		if all[0].is("FOREIGN") || all[0].is("CONSTRAINT") && len(all) > 2 && all[2].is("FOREIGN") {
			return "", true
		}
		begin, end := i, endOfReference(all, i+2)
		if i >= 2 && all[i-2].is("CONSTRAINT") {
			begin = i - 2
		}
		to := all[end-1].to
		rest, _ := cutReference(definition[:all[begin].from]+" "+definition[to:], outer)
		return rest, false
	}
	return definition, false
}

func nameOf(sql string, t token) string {
	if t.quoted {
		return t.text
	}
	return sql[t.from:t.to]
}

// endOfReference finds the first token behind a references clause whose parent's name
// ends before i.
func endOfReference(all []token, i int) int {
	if i < len(all) && all[i].is("(") {
		for i < len(all) && !all[i].is(")") {
			i++
		}
		i++
	}
	for i < len(all) {
		switch {
		case all[i].is("ON") && i+2 < len(all) && all[i+2].is("SET", "NO"):
			i += 4
		case all[i].is("ON"):
			i += 3
		case all[i].is("MATCH"):
			i += 2
		case all[i].is("NOT") && i+1 < len(all) && all[i+1].is("DEFERRABLE"):
			i += 2
		case all[i].is("DEFERRABLE"):
			i++
		case all[i].is("INITIALLY"):
			i += 2
		default:
			return min(i, len(all))
		}
	}
	return len(all)
}
