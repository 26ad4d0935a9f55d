package postgres

import (
	"fmt"
	"strings"
)

// captured is a table whose writes are logged: its name and its key, with the types
// the key has in the table.
type captured struct {
	name
	Key   []string
	Types []string
}

// log is the table's change log. Its key columns have the types of the table's own, so
// a key is exactly what it is in the table, whatever the settings of the session that
// wrote it. A line without a key says that the table was truncated. It has no index:
// lines are deleted by their place, and an index would make every write dearer.
func (c captured) log() string      { return c.sibling(objectOf("log", c.Table)) }
func (c captured) function() string { return c.sibling(objectOf("capture", c.Table)) }

// logColumns is the list k1, k2, …, each behind prefix.
func (c captured) logColumns(prefix string) []string {
	all := make([]string, len(c.Key))
	for i := range c.Key {
		all[i] = fmt.Sprintf("%sk%d", prefix, i+1)
	}
	return all
}

// tableSQL makes the log. The application may insert into it and do nothing else.
func (c captured) tableSQL() []string {
	columns := make([]string, len(c.Key))
	for i, typ := range c.Types {
		columns[i] = fmt.Sprintf("k%d %s", i+1, typ)
	}
	return []string{
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (seq bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT now(), %s)", c.log(), strings.Join(columns, ", ")),
		fmt.Sprintf("GRANT INSERT ON %s TO PUBLIC", c.log()),
	}
}

// installSQL makes the triggers. They run as the application, in its transaction. The names are qualified, because the application's search_path is
// not ours.
func (c captured) installSQL() []string {
	keys := strings.Join(c.logColumns(""), ", ")
	insert := func(row string) string {
		return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s);", c.log(), keys, quoteAll(row+".", c.Key))
	}
	return []string{
		fmt.Sprintf(`CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $strangler$
BEGIN
	IF tg_op = 'TRUNCATE' THEN
		INSERT INTO %s DEFAULT VALUES;
	ELSIF tg_op = 'INSERT' THEN
		%s
	ELSIF tg_op = 'DELETE' THEN
		%s
	ELSE
		%s
		IF ROW(%s) IS DISTINCT FROM ROW(%s) THEN
			%s
		END IF;
	END IF;
	RETURN NULL;
END $strangler$`, c.function(), c.log(), insert("new"), insert("old"), insert("new"),
			quoteAll("old.", c.Key), quoteAll("new.", c.Key), insert("old")),
		fmt.Sprintf(`CREATE OR REPLACE TRIGGER %s AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION %s()`,
			captureTrigger, c.quoted(), notApplying, c.function()),
		fmt.Sprintf(`CREATE OR REPLACE TRIGGER %s AFTER TRUNCATE ON %s FOR EACH STATEMENT WHEN (%s) EXECUTE FUNCTION %s()`,
			truncateTrigger, c.quoted(), notApplying, c.function()),
		fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s, ENABLE ALWAYS TRIGGER %s", c.quoted(), captureTrigger, truncateTrigger),
	}
}

// notApplying is false in the engine's own transactions, which say so by a setting
// that ends with them.
const notApplying = `current_setting('strangler.applying', true) IS DISTINCT FROM '1'`
