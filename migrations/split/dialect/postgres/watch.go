package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// A table that stays may lose rows that a moved table refers to. Each such loose key has a
// watch: a trigger on the parent logs, in the transaction of the change, the values that
// are gone. It logs from the beginning of the move, also while the source leads, because
// switching it on would lock the parent within the fence of a cut-over; what is logged then
// is discarded.
//
// The foreign key itself still answers in the source, and would meet the seal. A second
// trigger lets its action pass without doing anything: the row stays until the side that
// leads has lost it and the change has come back. So both sides stay equal, and the
// application's own triggers answer on one side only.

// watch is the log of one loose key: table and function have one name, and the trigger on
// the parent is called so, too.
type watch struct {
	key    dialect.LooseKey
	split  string
	child  name
	parent relation
	types  []string // of the parent's columns
}

// goneKind begins the names of watches.
const goneKind = "gone"

func (w watch) object() string {
	sum := sha256.Sum256([]byte(w.split + "\x00" + w.key.From() + ">" + w.key.To()))
	return objectOf(goneKind, w.split[:min(len(w.split), 30)]) + "_" + hex.EncodeToString(sum[:4])
}

func (w watch) place() string { return w.child.sibling(w.object()) }

// watchNote is the comment by which a watch is known to be of a split.
func watchNote(split string) string { return "split " + split }

// carried lists the loose keys from tables of the move whose rows go with what they refer
// to. It is the source that watches.
func carried(m dialect.Move) []dialect.LooseKey {
	if m.Role != dialect.Source {
		return nil
	}
	return m.Carried()
}

// watches describes the loose keys that are carried over. A parent that does not exist
// loses no rows.
func watches(ctx context.Context, c *pgx.Conn, d *DB, m dialect.Move) ([]watch, error) {
	var all []watch
	for _, k := range carried(m) {
		l, err := d.layout(ctx, c, m.Shape(k.Table))
		if err != nil {
			return nil, err
		}
		parent, err := parseName(k.Parent).relation(ctx, c)
		if errors.Is(err, errNoTable) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("table %s: %w", k.Parent, err)
		}
		columns, err := parent.columns(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", k.Parent, err)
		}
		w := watch{key: k, split: m.Split, child: l.name, parent: parent}
		for _, n := range k.Parents {
			at := slices.IndexFunc(columns, func(c column) bool { return c.Name == n })
			if at < 0 {
				return nil, fmt.Errorf("table %s has no column %s, which %s refers to", k.Parent, n, k.From())
			}
			w.types = append(w.types, columns[at].Type)
		}
		all = append(all, w)
	}
	return all, nil
}

// logColumns is the list k1, k2, …, each behind prefix.
func (w watch) logColumns(prefix string) []string {
	return captured{Key: w.key.Parents}.logColumns(prefix)
}

// installSQL makes the watch. It runs with the engine's rights: who may delete a row of the
// parent need not know the schema of the table that moved.
func (w watch) installSQL() []string {
	columns := make([]string, len(w.types))
	for i, typ := range w.types {
		columns[i] = fmt.Sprintf("k%d %s", i+1, typ)
	}
	into := fmt.Sprintf("INSERT INTO %s (%s)", w.place(), strings.Join(w.logColumns(""), ", "))
	old, parent, trigger := quoteAll("old.", w.key.Parents), w.parent.name().quoted(), quote(w.object())
	return []string{
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, %s)", w.place(), strings.Join(columns, ", ")),
		fmt.Sprintf(`CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $strangler$
BEGIN
	IF tg_op = 'TRUNCATE' THEN
		%s SELECT %s FROM %s;
	ELSIF tg_op = 'DELETE' THEN
		%s VALUES (%s);
	ELSIF ROW(%s) IS DISTINCT FROM ROW(%s) THEN
		%s VALUES (%s);
	END IF;
	RETURN NULL;
END $strangler$`, w.place(), into, quoteAll("", w.key.Parents), parent, into, old, old, quoteAll("new.", w.key.Parents), into, old),
		fmt.Sprintf("COMMENT ON FUNCTION %s() IS %s", w.place(), literal(watchNote(w.split))),
		fmt.Sprintf("CREATE OR REPLACE TRIGGER %s AFTER UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION %s()", trigger, parent, w.place()),
		fmt.Sprintf("CREATE OR REPLACE TRIGGER %s BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION %s()", quote(w.truncate()), parent, w.place()),
		fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s, ENABLE ALWAYS TRIGGER %s", parent, trigger, quote(w.truncate())),
	}
}

func (w watch) truncate() string { return w.object() + "_t" }

// watching reports whether the watch is as it was installed.
func (w watch) watching(ctx context.Context, tx pgx.Tx) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `
		SELECT count(*)
		FROM pg_trigger t
		WHERE t.tgrelid = $1 AND t.tgname = ANY($2::text[]) AND t.tgenabled = 'A'
			AND t.tgfoid = to_regproc($3) AND to_regclass($3) IS NOT NULL`,
		w.parent.OID, []string{w.object(), w.truncate()}, w.place()).Scan(&n)
	return n == 2, err
}

// Watch installs the watches that are not there. Of a foreign key it logs as gone whatever
// its rows refer to in vain: while there was no watch that may have gone by, and a service
// that asks nobody may have written such rows.
func (w *writer) Watch(ctx context.Context) error {
	all, err := watches(ctx, w.tx.Conn(), w.d, w.m)
	if err != nil {
		return err
	}
	for _, one := range all {
		if err := w.install(ctx, one); err != nil {
			return err
		}
		if !one.key.Declared() {
			continue // who knows since when they do
		}
		if _, err := w.tx.Exec(ctx, one.vainSQL()); err != nil {
			return fmt.Errorf("table %s: look for rows that refer in vain: %w", one.key.Table, explain(err))
		}
	}
	return nil
}

func (w *writer) install(ctx context.Context, one watch) error {
	there, err := one.watching(ctx, w.tx)
	if err == nil && !there {
		err = w.patiently(ctx, one.installSQL())
	}
	if err != nil {
		return fmt.Errorf("watch table %s, which %s refers to: %w", one.key.Parent, one.key.Table, explain(err))
	}
	return nil
}

// vainSQL logs what rows refer to although it is not there.
func (w watch) vainSQL() string {
	var filled, same []string
	for i, c := range w.key.Columns {
		filled = append(filled, "t."+quote(c)+" IS NOT NULL")
		same = append(same, "p."+quote(w.key.Parents[i])+" = t."+quote(c))
	}
	return fmt.Sprintf("INSERT INTO %s (%s) SELECT DISTINCT %s FROM %s t WHERE %s AND NOT EXISTS (SELECT FROM %s p WHERE %s)",
		w.place(), strings.Join(w.logColumns(""), ", "), quoteAll("t.", w.key.Columns), w.child.quoted(), strings.Join(filled, " AND "),
		w.parent.name().quoted(), strings.Join(same, " AND "))
}

// unwatch takes all watches of a split away, each with its triggers before its log, also
// those of tables that can no longer be described.
func unwatch(ctx context.Context, tx pgx.Tx, split string) error {
	rows, err := tx.Query(ctx, `
		SELECT n.nspname, p.proname
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE starts_with(p.proname, $1) AND obj_description(p.oid, 'pg_proc') = $2`, prefix+goneKind, watchNote(split))
	if err != nil {
		return err
	}
	found, err := collectPairs(rows)
	if err != nil {
		return err
	}
	for _, f := range found {
		place := name{Schema: f[0]}.sibling(f[1])
		if err := execAll(ctx, tx, []string{fmt.Sprintf("DROP FUNCTION %s() CASCADE", place), "DROP TABLE IF EXISTS " + place}); err != nil {
			return err
		}
	}
	return nil
}

// passFunction and passTrigger let the action of a foreign key pass the seal without doing
// anything. The trigger's name comes before that of the seal, which decides about the order.
func passFunction(n name) string { return n.sibling(objectOf("pass", n.Table)) }

const passTrigger = prefix + "pass"

// passSQL makes the trigger on a table that follows. Only what another trigger does may be
// such an action, and only for a row whose parent is gone.
func passSQL(l *layout, s *schema.Shape, keys []watch) []string {
	var deletes, updates []string
	for _, k := range keys {
		switch {
		case k.key.Table != s.Table.Name:
		case k.key.OnDelete == "delete":
			deletes = append(deletes, k.goneSQL())
		default:
			updates = append(updates, "("+k.goneSQL()+" AND "+k.onlyNulled(s)+")")
		}
	}
	if deletes == nil && updates == nil {
		return nil
	}
	either := func(conditions []string) string {
		if conditions == nil {
			return "false"
		}
		return strings.Join(conditions, " OR ")
	}
	return []string{
		fmt.Sprintf(`CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $strangler$
BEGIN
	IF tg_op = 'DELETE' THEN
		IF %s THEN
			RETURN NULL;
		END IF;
		RETURN old;
	END IF;
	IF %s THEN
		RETURN NULL;
	END IF;
	RETURN new;
END $strangler$`, passFunction(l.name), either(deletes), either(updates)),
		fmt.Sprintf("CREATE OR REPLACE TRIGGER %s BEFORE UPDATE OR DELETE ON %s FOR EACH ROW WHEN (%s AND pg_trigger_depth() > 0) EXECUTE FUNCTION %s()",
			passTrigger, l.quoted(), notApplying, passFunction(l.name)),
		fmt.Sprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", l.quoted(), passTrigger),
	}
}

// passOffSQL lets the foreign keys act again.
func passOffSQL(l *layout, s *schema.Shape, keys []watch) []string {
	all := passSQL(l, s, keys)
	if all == nil {
		return nil
	}
	return append(all, fmt.Sprintf("ALTER TABLE %s DISABLE TRIGGER %s", l.quoted(), passTrigger))
}

// goneSQL is true of a row whose reference leads nowhere.
func (w watch) goneSQL() string {
	var filled, same []string
	for i, c := range w.key.Columns {
		filled = append(filled, "old."+quote(c)+" IS NOT NULL")
		same = append(same, "p."+quote(w.key.Parents[i])+" = old."+quote(c))
	}
	return fmt.Sprintf("%s AND NOT EXISTS (SELECT FROM %s p WHERE %s)", strings.Join(filled, " AND "), w.parent.name().quoted(), strings.Join(same, " AND "))
}

// onlyNulled is true of an update that sets a reference to NULL and changes nothing else.
func (w watch) onlyNulled(s *schema.Shape) string {
	var nulls []string
	but := slices.Clone(w.key.Nulled())
	for _, c := range w.key.Nulled() {
		nulls = append(nulls, "new."+quote(c)+" IS NULL")
	}
	for _, c := range s.Table.Columns {
		if c.Computed() {
			but = append(but, c.Name)
		}
	}
	rest := func(row string) string {
		text := "to_jsonb(" + row + ")"
		for _, c := range but {
			text += " - " + literal(c)
		}
		return text
	}
	return strings.Join(nulls, " AND ") + " AND " + rest("new") + " = " + rest("old")
}
