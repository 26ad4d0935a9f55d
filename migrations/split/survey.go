package split

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// A Survey is what a plan means for the two databases as they are: what would be done,
// and everything that stands against it.
type Survey struct {
	Schema  int           `json:"schema"` // of this form
	Split   string        `json:"split"`
	Next    []string      `json:"next_steps"`
	Source  dialect.Info  `json:"source"`
	Target  dialect.Info  `json:"target"`
	Tables  []TableSurvey `json:"tables"`
	Cut     []CutKey      `json:"cut_keys"`
	Readers []string      `json:"readers"`    // views and triggers that still read or write the tables
	Notes   []string      `json:"notes"`      // what to know, which stops nothing
	Disk    int64         `json:"disk_bytes"` // needed on the target's disk, about
	Refuse  []Refusal     `json:"refused"`    // why the plan cannot be carried out
	Begun   bool          `json:"begun"`      // the move has begun: the engine's objects are there
	from    []*schema.Shape
	to      []*schema.Shape
	source  *schema.Catalog
	loose   []dialect.LooseKey
	inner   []schema.ForeignKey
}

// A TableSurvey is one table of a survey.
type TableSurvey struct {
	Name     string   `json:"name"`
	Key      []string `json:"key"`
	Rows     int64    `json:"rows"`
	Exact    bool     `json:"exact"` // the number of rows is no estimate
	Bytes    int64    `json:"bytes"`
	Columns  int      `json:"columns"`
	Computed []string `json:"computed,omitempty"` // columns that the database computes
	Uniques  int      `json:"uniques"`
	Indexes  int      `json:"indexes"`
	Sequence string   `json:"sequence,omitempty"` // the column whose values are generated
	Triggers []string `json:"triggers,omitempty"` // the application's own
	Made     bool     `json:"made"`               // the engine makes it in the target
	Capture  string   `json:"capture"`            // what a write costs more
}

// A CutKey is a foreign key that the split cuts.
type CutKey struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Declared string `json:"on_delete"` // by the plan; empty: it is not declared
}

// A Refusal is a reason why a plan cannot be carried out.
type Refusal struct {
	Table  string `json:"table,omitempty"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy"`
}

func (r Refusal) String() string {
	text := r.Reason
	if r.Table != "" {
		text = "table " + r.Table + ": " + text
	}
	return text + "; " + r.Remedy
}

// Survey looks at both databases and changes nothing.
func (e *Engine) Survey(ctx context.Context) (*Survey, error) {
	s := &Survey{
		Schema: 1, Split: e.Plan.Split, Source: e.Source.Info(), Target: e.Target.Info(),
		Next: []string{}, Tables: []TableSurvey{}, Cut: []CutKey{}, Readers: []string{}, Notes: []string{}, Refuse: []Refusal{},
	}
	source, target, state, err := e.catalogs(ctx)
	if err != nil {
		return nil, err
	}
	s.source, s.Begun = source, state.Move != ""
	if err := s.others(ctx, e, state); err != nil {
		return nil, err
	}
	for _, name := range source.Missing {
		s.refuse(name, "check the name; names are those of the source", "there is no such table in %s", s.Source.Name)
	}
	for _, t := range e.Plan.Tables {
		if have := source.Table(t.Name); have != nil {
			there := target.Table(t.Name)
			if there != nil && state.Tables[t.Name].Keyless {
				parkedKey(t, have, there)
			}
			s.table(e, t, have, there)
		} else if !slices.Contains(source.Missing, t.Name) {
			s.refuse(t.Name, "write it as the source does", "the source spells this table's name in another way")
		}
	}
	s.cut(e.Plan, source)
	if err := s.rights(ctx, e, source); err != nil {
		return nil, err
	}
	s.meetSeal(source)
	s.inner = source.Inner()
	s.readers(source)
	s.Notes = append(s.Notes, source.Notes...)
	s.disk(ctx, e)
	if len(s.Refuse) == 0 {
		s.Next = []string{"strangler split run " + e.Name()}
	}
	return s, nil
}

// parkedKey gives the target's table the key that it had when the move began. What stands
// against the table was looked at then.
func parkedKey(t plan.Table, have, there *schema.Table) {
	if there.Key != nil { // another index that could have been it
		there.Uniques = append(there.Uniques, schema.Index{Columns: there.Key})
	}
	there.Key, there.Obstacles = nil, nil
	for _, name := range have.Key {
		there.Key = append(there.Key, cmp.Or(t.Columns[name], name))
	}
}

// catalogs reads both databases at the same time.
func (e *Engine) catalogs(ctx context.Context) (source, target *schema.Catalog, state dialect.State, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		if source, err = e.Source.Catalog(ctx, e.Plan.TableNames()); err != nil {
			return fmt.Errorf("source: %w", err)
		}
		return nil
	})
	group.Go(func() (err error) {
		if target, err = e.Target.Catalog(ctx, e.Plan.TableNames()); err == nil {
			state, err = e.Target.State(ctx, e.Plan.Split)
		}
		if err != nil {
			return fmt.Errorf("target: %w", err)
		}
		return nil
	})
	return source, target, state, group.Wait()
}

func (s *Survey) refuse(table, remedy, format string, args ...any) {
	s.Refuse = append(s.Refuse, Refusal{Table: table, Reason: fmt.Sprintf(format, args...), Remedy: remedy})
}

// others refuses tables that are part of another split, in either database.
func (s *Survey) others(ctx context.Context, e *Engine, target dialect.State) error {
	source, err := e.Source.State(ctx, e.Plan.Split)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	for _, name := range e.Plan.TableNames() {
		if other := cmp.Or(source.Others[name], target.Others[name]); other != "" {
			s.refuse(name, dialect.ErrOtherSplit.Error(), "it is part of split %s, which has begun", other)
		}
	}
	return nil
}

// table surveys one table; there is nil if the target has none.
func (s *Survey) table(e *Engine, p plan.Table, have, there *schema.Table) {
	t := TableSurvey{
		Name: have.Name, Key: append([]string{}, have.Key...), Rows: have.Rows, Exact: have.Counted, Bytes: have.Bytes, Columns: len(have.Columns),
		Uniques: len(have.Uniques), Indexes: len(have.Indexes), Capture: cost(have),
	}
	for _, c := range have.Columns {
		if c.Computed() {
			t.Computed = append(t.Computed, c.Name)
		}
	}
	for _, trigger := range have.Triggers {
		t.Triggers = append(t.Triggers, trigger.Name)
		if len(trigger.Others) > 0 {
			s.Readers = append(s.Readers, fmt.Sprintf("trigger %s of table %s also uses %s: it stays with the source and is put away while the target owns the table",
				trigger.Name, have.Name, strings.Join(trigger.Others, ", ")))
		}
	}
	if have.Sequence != nil {
		t.Sequence = have.Sequence.Column
	}
	s.obstacles(have.Name, have.Obstacles)
	s.Disk += have.Bytes
	switch {
	case there == nil && e.Plan.CreateTarget && s.Source.Driver != s.Target.Driver:
		translator, ok := e.Target.(dialect.Translator)
		if !ok {
			s.refuse(have.Name, "make the table in the target by a migration of the service", "create_target makes tables only in a database of the same kind")
			break
		}
		var obstacles []schema.Obstacle
		t.Made = true
		there, obstacles = translator.Translate(have)
		s.obstacles(have.Name, obstacles)
	case there == nil && e.Plan.CreateTarget:
		t.Made, there = true, have
	case there == nil:
		s.refuse(have.Name, "make it by a migration of the service, or write create_target: true", "there is no such table in %s", s.Target.Name)
	default:
		s.obstacles(have.Name, there.Obstacles)
		if there.Rows > 0 && !s.Begun {
			s.refuse(have.Name, "empty it, or take another database", "the target's table holds rows already")
		}
	}
	s.Tables = append(s.Tables, t)
	if there == nil || len(have.Key) == 0 {
		return
	}
	s.sequence(have, there)
	from, to, obstacles := schema.Match(have, there, p.Columns)
	if len(obstacles) == 0 {
		if c, ok := e.Target.(dialect.Converter); ok {
			_, obstacles = c.Convert(s.Source.Driver, from, to)
		}
	}
	s.obstacles(have.Name, obstacles)
	for name := range p.Columns {
		if have.Column(name) == nil {
			s.refuse(have.Name, "name a column of the source", "the plan renames column %s, which does not exist", name)
		}
	}
	s.from, s.to = append(s.from, from), append(s.to, to)
}

// sequence refuses a table whose numbers would go on from the wrong end.
func (s *Survey) sequence(have, there *schema.Table) {
	words := map[bool]string{true: "down", false: "up"}
	if from, to := have.Sequence, there.Sequence; from != nil && to != nil && (from.Step < 0) != (to.Step < 0) {
		s.refuse(have.Name, "let both count in one direction: ALTER SEQUENCE … INCREMENT BY …",
			"its numbers (column %s) count %s in the source and %s in the target", from.Column, words[from.Step < 0], words[to.Step < 0])
	}
}

func (s *Survey) obstacles(table string, obstacles []schema.Obstacle) {
	for _, o := range obstacles {
		r := Refusal{Table: table, Reason: o.Reason, Remedy: o.Remedy}
		if !slices.Contains(s.Refuse, r) {
			s.Refuse = append(s.Refuse, r)
		}
	}
}

// cost says how much capture adds to a write.
func cost(t *schema.Table) string {
	look := len(t.Uniques) + 1
	if t.RowID != "" {
		look++
	}
	return fmt.Sprintf("one row in the log a row written, and %d look-ups before an insert or a change of something unique", look)
}

// cut compares the foreign keys that the split cuts with those that the plan declares.
func (s *Survey) cut(p *plan.Plan, c *schema.Catalog) {
	used := make([]bool, len(p.LooseKeys))
	for _, fk := range c.Cut() {
		key := CutKey{From: fk.From(), To: fk.To()}
		for i, loose := range p.LooseKeys {
			if strings.EqualFold(loose.From, key.From) && strings.EqualFold(loose.To, key.To) {
				key.Declared, used[i] = loose.OnDelete, true
				s.contradiction(c, fk, loose)
				s.loose = append(s.loose, dialect.LooseKey{ForeignKey: fk, OnDelete: loose.OnDelete})
			}
		}
		if key.Declared == "" {
			s.refuse(fk.Table, "write under loose_keys: - "+looseLine(key.From, key.To, suggested(c, fk)),
				"the split cuts the foreign key from %s to %s", key.From, key.To)
		}
		s.Cut = append(s.Cut, key)
	}
	for i, loose := range p.LooseKeys {
		table, columns, _ := schema.ParseReference(loose.From)
		switch t := c.Table(table); {
		case used[i]:
		case t == nil:
			s.refuse(table, "take it out of the plan", "the plan declares the loose key from %s, but no such foreign key is cut", loose.From)
		case slices.ContainsFunc(columns, func(name string) bool { return t.Column(name) == nil }):
			s.refuse(table, "name a column of the table", "the plan declares a loose key from %s, which is no column", loose.From)
		default: // a reference that the database was never told of
			s.Cut = append(s.Cut, CutKey{From: loose.From, To: loose.To, Declared: loose.OnDelete})
			parent, parents, _ := schema.ParseReference(loose.To)
			s.loose = append(s.loose, dialect.LooseKey{OnDelete: loose.OnDelete, ForeignKey: schema.ForeignKey{
				Table: table, Columns: columns, Parent: parent, Parents: parents,
			}})
		}
	}
}

// rights names what the engine may not do beside the tables that are there.
func (s *Survey) rights(ctx context.Context, e *Engine, c *schema.Catalog) error {
	var source, target dialect.Needs
	for _, fk := range c.Cut() {
		if acts := fk.OnDelete == dialect.Cascades || fk.OnDelete == dialect.SetsNull; acts && c.Table(fk.Table) != nil {
			source.Watch = append(source.Watch, fk.Parent)
		}
	}
	for _, k := range s.loose {
		if k.OnDelete != plan.Keep && c.Table(k.Table) != nil {
			source.Watch = append(source.Watch, k.Parent)
		}
	}
	source.Read = c.Incoming
	for _, t := range s.Tables {
		if t.Made {
			target.Make = append(target.Make, t.Name)
		}
	}
	for _, side := range []struct {
		at    dialect.Database
		needs dialect.Needs
	}{{e.Source, source}, {e.Target, target}} {
		w, ok := side.at.(dialect.Warden)
		if !ok {
			continue
		}
		obstacles, err := w.Rights(ctx, side.needs)
		if err != nil {
			return err
		}
		s.obstacles("", obstacles)
	}
	return nil
}

// meetSeal says which actions of foreign keys are not carried over after the switch.
func (s *Survey) meetSeal(c *schema.Catalog) {
	for _, fk := range c.Cut() {
		if c.Table(fk.Table) == nil {
			if fk.OnDelete == "CASCADE" || fk.OnDelete == "SET NULL" {
				s.Notes = append(s.Notes, fmt.Sprintf("while the target owns %s, deleting a row there leaves the rows of %s that refer to it as they are (%s, ON DELETE %s): the application has to see to them", fk.Parent, fk.Table, fk.From(), fk.OnDelete))
			}
			continue
		}
		acts := func(action string) bool {
			return slices.Contains([]string{"CASCADE", "SET NULL", "SET DEFAULT"}, action)
		}
		if acts(fk.OnUpdate) {
			s.Notes = append(s.Notes, fmt.Sprintf("while the target owns %s, the source refuses to change %s of a row that %s refers to (ON UPDATE %s)", fk.Table, fk.To(), fk.From(), fk.OnUpdate))
		}
		if fk.OnDelete == "SET DEFAULT" {
			s.Notes = append(s.Notes, fmt.Sprintf("while the target owns %s, the source refuses to delete a row of %s that %s refers to (ON DELETE SET DEFAULT): change the rows that refer to it through their owner first", fk.Table, fk.Parent, fk.From()))
		}
	}
}

// innerThere are the keys between the tables as the target names their columns.
func (s *Survey) innerThere() []schema.ForeignKey {
	renamed := func(table string, columns []string) []string {
		i := slices.IndexFunc(s.from, func(f *schema.Shape) bool { return f.Table.Name == table })
		if i < 0 {
			return columns
		}
		return s.to[i].Renamed(s.from[i], columns)
	}
	inner := slices.Clone(s.inner)
	for i := range inner {
		fk := &inner[i]
		fk.Columns, fk.SetNull, fk.Parents = renamed(fk.Table, fk.Columns), renamed(fk.Table, fk.SetNull), renamed(fk.Parent, fk.Parents)
	}
	return inner
}

// contradiction refuses a loose key that says something else than the database does: after
// the switch the source's own cascade still acts on its copy. And it refuses what nobody
// carries out: the rows of a table that stays are not the engine's to change.
func (s *Survey) contradiction(c *schema.Catalog, fk schema.ForeignKey, loose plan.LooseKey) {
	if c.Table(fk.Table) == nil {
		if loose.OnDelete != plan.Keep {
			s.refuse(fk.Table, "write on_delete: keep, and let the application see to those rows when it deletes one there",
				"the table stays in the source, and %s: %s would not be carried out once the target owns %s", loose.From, loose.OnDelete, fk.Parent)
		}
		return
	}
	if want := suggested(c, fk); want != plan.Keep && want != loose.OnDelete {
		s.refuse(fk.Table, "write on_delete: "+want, "the foreign key from %s says ON DELETE %s, and the plan says %s", loose.From, fk.OnDelete, loose.OnDelete)
	}
}

// suggested is what a loose key has to say to mean what the foreign key did, as far as the
// engine can carry it out.
func suggested(c *schema.Catalog, fk schema.ForeignKey) string {
	switch {
	case c.Table(fk.Table) == nil:
		return plan.Keep
	case fk.OnDelete == "CASCADE":
		return plan.Delete
	case fk.OnDelete == "SET NULL":
		return plan.Nullify
	}
	return plan.Keep
}

// readers lists what goes on to use the tables in the source after the switch.
func (s *Survey) readers(c *schema.Catalog) {
	for _, v := range c.Views {
		s.Readers = append(s.Readers, fmt.Sprintf("view %s reads %s: it goes on to show the source's copy, which is kept current until the split is completed", v.Name, strings.Join(v.Tables, ", ")))
	}
	for _, t := range c.Triggers {
		s.Readers = append(s.Readers, fmt.Sprintf("trigger %s of table %s uses tables of the split: if it writes them, writes to %s will fail once the target owns them", t.Name, t.Table, t.Table))
	}
}

// disk looks at the disks.
func (s *Survey) disk(ctx context.Context, e *Engine) {
	u, err := e.Target.Usage(ctx)
	if err != nil || u.Free < 0 {
		s.Notes = append(s.Notes, "how much room is left on the target's disk is not known")
		return
	}
	if need := s.Disk + e.Plan.Limits.Disk; u.Free < need && !s.Begun {
		s.refuse("", "make room, or lower limits.disk", "the target's disk has %s free, and about %s are needed", size(u.Free), size(need))
	}
}

// size prints bytes for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
