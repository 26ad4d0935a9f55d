package schema_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

func TestReferencesAreReadAsWritten(t *testing.T) {
	for _, c := range []struct{ text, table, columns string }{
		{"reviews.user_id", "reviews", "user_id"},
		{"votes.a, b", "votes", "a b"},
		{"app.reviews.user_id", "app.reviews", "user_id"},
		{`"odd table"."the ""key""",n`, "odd table", `the "key" n`},
		{`"a.b"."c,d"`, "a.b", "c,d"},
		{schema.Reference("$..a", []string{"b"}), "$..a", "b"},
		{`größe.maß`, "größe", "maß"},
	} {
		table, columns, ok := schema.ParseReference(c.text)
		if joined := joinWords(columns); !ok || table != c.table || joined != c.columns {
			t.Errorf("%s: %q %q %v, want %q %q", c.text, table, joined, ok, c.table, c.columns)
		}
	}
	for _, text := range []string{"", "a", ".a", "a.", "a.b,", "a,b.c", "a b.c", `"a.b`, `"a".`, `"a"b.c`, `a"b".c`, `"".a`, "a. b", "a.b.", "a,b", "a.b,c.d"} {
		if table, columns, ok := schema.ParseReference(text); ok {
			t.Errorf("%s is taken for %q %q", text, table, columns)
		}
	}
}

func joinWords(all []string) string {
	text := ""
	for i, s := range all {
		if i > 0 {
			text += " "
		}
		text += s
	}
	return text
}

// TestEveryNameSurvives writes references to tables and columns of any name and reads them
// back.
func TestEveryNameSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z0-9_$., "'äß.-]{1,8}`)
		table := name.Draw(t, "table")
		columns := rapid.SliceOfN(name, 1, 3).Draw(t, "columns")
		text := schema.Reference(table, columns)
		gotTable, gotColumns, ok := schema.ParseReference(text)
		if !ok || gotTable != table || !slices.Equal(gotColumns, columns) {
			t.Fatalf("%q %q is written %s and read %q %q %v", table, columns, text, gotTable, gotColumns, ok)
		}
	})
}
