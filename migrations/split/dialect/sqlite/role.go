package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// installed is what the engine has set up in this file for a split: if anything of it
// has changed since, changes may have gone by unseen.
type installed struct {
	Leads    bool              `json:"leads"`
	Triggers string            `json:"triggers"` // hash of the triggers' SQL
	Tables   map[string]string `json:"tables"`   // hash of the columns, by table
}

// Lead opens this side for applications.
func (t *Tx) Lead(ctx context.Context, r dialect.Record) error {
	return t.setRole(ctx, r, true)
}

// Follow closes this side for everybody but the engine.
func (t *Tx) Follow(ctx context.Context, r dialect.Record) error {
	return t.setRole(ctx, r, false)
}

func (t *Tx) setRole(ctx context.Context, r dialect.Record, leads bool) error {
	others, err := otherSplits(ctx, t.tx, t.move.Split)
	if err != nil {
		return t.db.explain(err, "read the splits of the database")
	}
	for _, s := range t.move.Shapes {
		if other := others[s.Table.Name]; other != "" {
			return fmt.Errorf("table %s in %s is part of split %s: %w", s.Table.Name, t.db.path, other, dialect.ErrOtherSplit)
		}
	}
	if err := dropTriggers(ctx, t.tx, t.move.Split); err != nil {
		return t.db.explain(err, "drop the split's triggers")
	}
	if !leads {
		if err := makeRefused(ctx, t.tx, t.move); err != nil {
			return t.db.explain(err, "make the count of refused writes")
		}
	}
	for _, s := range t.move.Shapes {
		var statements []string
		var err error
		if leads {
			err = unpark(ctx, t.tx, t.move.Split, "trigger", s.Table.Name)
			statements = captureTriggers(t.move.Split, s)
		} else {
			err = parkTriggers(ctx, t.tx, t.move.Split, s.Table.Name)
			statements = append(guardTriggers(t.move, s, r), cascaded(t.move, s)...)
		}
		if err != nil {
			return t.db.explain(err, "table "+s.Table.Name)
		}
		for _, statement := range statements {
			if _, err := t.tx.ExecContext(ctx, statement); err != nil {
				return t.db.explain(err, "table "+s.Table.Name+": create a trigger")
			}
		}
		if r.Epoch > 0 {
			if err := setOwner(ctx, t.tx, s.Table.Name, r); err != nil {
				return t.db.explain(err, "table "+s.Table.Name+": record its owner")
			}
		}
	}
	switch {
	case !leads:
		if err := t.watchParents(ctx); err != nil {
			return t.db.explain(err, "watch the tables that are referred to")
		}
	case r.Epoch > 0 && t.move.Role == dialect.Source:
		if err := dialect.SettleLoose(ctx, t); err != nil {
			return err
		}
	}
	return t.db.explain(t.remember(ctx, leads), "record what was installed")
}

// watchParents logs from now on which rows go away that the tables refer to.
func (t *Tx) watchParents(ctx context.Context) error {
	statements, err := looseTriggers(ctx, t.tx, t.move)
	if err != nil || len(statements) == 0 {
		return err
	}
	for _, statement := range append([]string{makeLoose(t.move)}, statements...) {
		if _, err := t.tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func setOwner(ctx context.Context, tx *sqlx.Tx, table string, r dialect.Record) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO `+ownerTable+`(table_name, owner, epoch, decided_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (table_name) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch, decided_at = excluded.decided_at`,
		table, r.Owner, r.Epoch, time.Now().UTC().Format(time.RFC3339Nano))
	return err
}

// remember records what is installed, so that Captured can tell whether it still is.
func (t *Tx) remember(ctx context.Context, leads bool) error {
	set, err := present(ctx, t.tx, t.move)
	if err != nil {
		return err
	}
	set.Leads = leads
	b, err := json.Marshal(set)
	if err != nil {
		return err
	}
	_, err = t.tx.ExecContext(ctx, `UPDATE `+ctlTable+` SET captured = ? WHERE split = ?`, string(b), t.move.Split)
	t.db.forgetCheck(t.move.Split)
	return err
}

// present is what is there now.
func present(ctx context.Context, q queryer, m dialect.Move) (installed, error) {
	set := installed{Tables: map[string]string{}}
	triggers, err := ownTriggers(ctx, q, m.Split)
	if err != nil {
		return set, err
	}
	var all strings.Builder
	for _, o := range triggers {
		fmt.Fprintf(&all, "%s\x00%s\x00%s\x00", o.Name, strings.ToLower(o.Table), o.SQL)
	}
	set.Triggers = hash(all.String())
	for _, s := range m.Shapes {
		t := schema.Table{Name: s.Table.Name}
		if _, err := readColumns(ctx, q, &t); err != nil {
			return set, err
		}
		set.Tables[s.Table.Name] = describe(&t)
	}
	return set, nil
}

// describe lists a table's columns as far as they matter to a copy.
func describe(t *schema.Table) string {
	parts := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		parts[i] = strings.TrimSpace(c.Name + " " + c.Type + " " + string(c.Generated))
	}
	return strings.Join(parts, ", ")
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:12])
}

func mapsKeys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// ownTriggers lists the triggers that the engine made for a split.
func ownTriggers(ctx context.Context, q queryer, split string) ([]object, error) {
	var all []object
	err := q.SelectContext(ctx, &all, `SELECT type, name, tbl_name, coalesce(sql, '') AS sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name`)
	prefix := dialect.Prefix + split + "."
	return slices.DeleteFunc(all, func(o object) bool { return !strings.HasPrefix(o.Name, prefix) }), err
}

func dropTriggers(ctx context.Context, tx *sqlx.Tx, split string) error {
	triggers, err := ownTriggers(ctx, tx, split)
	if err != nil {
		return err
	}
	for _, o := range triggers {
		if _, err := tx.ExecContext(ctx, `DROP TRIGGER `+quote(o.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (d *Database) forgetCheck(split string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.checked, split)
}
