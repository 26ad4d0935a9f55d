package sqlite

import (
	"fmt"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// guardTriggers refuse every write of a table but the engine's. All three kinds are
// needed: an INSERT OR REPLACE deletes rows without a delete trigger, but not without
// the one of its insert.
func guardTriggers(m dialect.Move, s *schema.Shape, r dialect.Record) []string {
	message := fmt.Sprintf("table %q is owned by the %s (split %s, epoch %d)", s.Table.Name, r.Owner, m.Split, r.Epoch)
	if r.Owner == dialect.Target {
		message = fmt.Sprintf("table %q is owned by %s (split %s, epoch %d)", s.Table.Name, m.Split, m.Split, r.Epoch)
	}
	applying := applyingIn(m.Split) + " IS NOT 1"
	var statements []string
	for _, event := range []string{"INSERT", "UPDATE", "DELETE"} {
		when := applying
		pass := cascades(m, s, event)
		if pass != "" {
			when += " AND NOT (" + pass + ")"
		}
		statements = append(statements, "CREATE TRIGGER "+quote(triggerName(m.Split, s.Table.Name, "g"+event[:1]))+
			" BEFORE "+event+" ON "+quote(s.Table.Name)+" WHEN "+when+" BEGIN "+refuse(m, s, message, pass != "")+" END")
	}
	return statements
}

// applyingIn is 1 in the engine's own transactions.
func applyingIn(split string) string {
	return "(SELECT applying FROM " + ctlTable + " WHERE split = " + text(split) + ")"
}
