package postgres

import (
	"fmt"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
)

// Sealing closes a table for everybody but the engine. The trigger is made under a lock
// that readers do not notice; it is a change of the catalog rather than of a row,
// because a REPEATABLE READ transaction would go on reading the old row. What it
// refuses is counted in a sequence of the table, which no rollback takes back; another one
// holds when it was refused last, in milliseconds since 1970.

func refuseFunction(n name) string    { return n.sibling(objectOf("refuse", n.Table)) }
func refusedSequence(n name) string   { return n.sibling(objectOf("refused", n.Table)) }
func refusedAtSequence(n name) string { return n.sibling(objectOf("lastrefused", n.Table)) }

// refuseSQL makes what the seal of a table calls and counts in.
func refuseSQL(n name) []string {
	return []string{
		fmt.Sprintf("CREATE SEQUENCE IF NOT EXISTS %s", refusedSequence(n)),
		fmt.Sprintf("CREATE SEQUENCE IF NOT EXISTS %s", refusedAtSequence(n)),
		fmt.Sprintf("GRANT USAGE ON SEQUENCE %s TO PUBLIC", refusedSequence(n)),
		fmt.Sprintf("GRANT UPDATE ON SEQUENCE %s TO PUBLIC", refusedAtSequence(n)),
		fmt.Sprintf(`CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $strangler$
BEGIN
	PERFORM pg_catalog.nextval(%s), pg_catalog.setval(%s, (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8);
	RAISE EXCEPTION '%%', tg_argv[0] USING ERRCODE = 'object_not_in_prerequisite_state', HINT = tg_argv[1];
END $strangler$`, refuseFunction(n), literal(refusedSequence(n)), literal(refusedAtSequence(n))),
	}
}

// sealSQL closes a table; writers are told message and hint. A statement that changes or
// deletes no row may pass: applications have such. One that inserts may not, for a trigger
// before each row would make the engine's own COPY write its rows one by one.
func sealSQL(n name, message, hint string) []string {
	create := func(trigger, event, level string) string {
		return fmt.Sprintf("CREATE OR REPLACE TRIGGER %s BEFORE %s ON %s FOR EACH %s WHEN (%s) EXECUTE FUNCTION %s(%s, %s)",
			trigger, event, n.quoted(), level, notApplying, refuseFunction(n), literal(message), literal(hint))
	}
	return []string{
		create(sealTrigger, "UPDATE OR DELETE", "ROW"),
		create(sealTruncate, "INSERT OR TRUNCATE", "STATEMENT"),
		fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s, ENABLE ALWAYS TRIGGER %s", n.quoted(), sealTrigger, sealTruncate),
	}
}

// unsealSQL opens a table and leaves the triggers where they are: dropping them would
// stop its readers.
func unsealSQL(n name) []string {
	// Made first where it never was: then there is one state less to know about.
	return append(sealSQL(n, "", ""),
		fmt.Sprintf("ALTER TABLE %s DISABLE TRIGGER %s, DISABLE TRIGGER %s", n.quoted(), sealTrigger, sealTruncate))
}

// refusal is what a writer is told that found a table closed, and what to do about it.
func refusal(table, split string, r dialect.Record) (message, hint string) {
	owner := "the " + r.Owner
	if r.Owner == dialect.Target {
		owner = split
	}
	return fmt.Sprintf("table %q is owned by %s (split %s, epoch %d)", table, owner, split, r.Epoch),
		"Write it through its owner; " + ownerTable + " says who that is."
}
