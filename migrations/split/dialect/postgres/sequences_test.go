package postgres_test

import (
	"strings"
	"testing"
)

// A sequence that feeds two tables keeps their numbers apart only as long as both draw from it.
func TestSharedSequenceIsNoted(t *testing.T) {
	t.Parallel()
	source, _ := pair(t, []string{"orders", "notes"}, `CREATE TABLE orders (id bigserial PRIMARY KEY)`, `CREATE TABLE notes (id bigserial PRIMARY KEY)`)
	do(t, connect(t, source.dsn), `CREATE TABLE returns (id bigint DEFAULT nextval('orders_id_seq') PRIMARY KEY)`)
	notes := catalog(t, source, []string{"orders", "notes"}).Notes
	if want := `sequence "public"."orders_id_seq" of orders feeds returns.id, too: `; len(notes) != 1 || !strings.HasPrefix(notes[0], want) {
		t.Errorf("notes %q, want one that begins with %q", notes, want)
	}
}
