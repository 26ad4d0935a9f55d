package sqlite

import (
	"strings"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// Tables of the engine that all splits of a database share.
const (
	ctlTable    = dialect.Prefix + "ctl"    // one row a split: move, claim, whether the engine is writing
	ckTable     = dialect.Prefix + "ck"     // one row a table: how far its copy is
	ownerTable  = dialect.Prefix + "owner"  // one row a table: who owns it; applications read it
	parkedTable = dialect.Prefix + "parked" // indexes and triggers that are put away

	refusedTable = dialect.Prefix + "refused" // one row a table: how many writes its guard has refused
)

// logTable holds the keys of a split's rows that were changed.
func logTable(split string) string { return dialect.Prefix + "log_" + split }

// dirtyTable holds the keys of a split's rows that have to be compared.
func dirtyTable(split string) string { return dialect.Prefix + "dirty_" + split }

// triggerName names a trigger of a split. A split's name holds no dot.
func triggerName(split, table, kind string) string {
	return dialect.Prefix + split + "." + table + "." + kind
}

// quote makes an identifier of any name.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// text makes a literal of any text without NUL.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// quoteAll quotes names and joins them by commas; prefix stands before each.
func quoteAll(prefix string, names []string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(prefix)
		b.WriteString(quote(name))
	}
	return b.String()
}

// marks is "?, ?, …" for n values.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// columns joins what f makes of each name.
func columns(names []string, separator string, f func(quoted string) string) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = f(quote(name))
	}
	return strings.Join(parts, separator)
}
