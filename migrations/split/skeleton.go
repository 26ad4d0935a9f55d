package split

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/migrations/split/dialect"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// An Outline is what a database holds, for whoever has to choose the tables of a plan.
type Outline struct {
	Schema int            `json:"schema"`
	Source dialect.Info   `json:"source"`
	Tables []TableOutline `json:"tables"`
	Next   []string       `json:"next_steps"`
}

// A TableOutline is one table of an Outline.
type TableOutline struct {
	Name    string   `json:"name"`
	Key     []string `json:"key"`
	Rows    int64    `json:"rows"` // about
	Refers  []string `json:"refers_to"`
	By      []string `json:"referred_to_by"`
	Refused []string `json:"refused,omitempty"` // why it cannot be moved
}

// Look reads what tables a database has, and how they hang together. It changes nothing.
func Look(ctx context.Context, source plan.Database) (*Outline, error) {
	db, err := open(ctx, source, false, false, 0)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	lister, ok := db.(dialect.Lister)
	if !ok {
		return nil, program.Fail(program.Usage, "write the plan by hand", "this program cannot list the tables of %s", db.Info().Name)
	}
	names, err := lister.Tables(ctx)
	if err != nil {
		return nil, err
	}
	all, err := db.Catalog(ctx, names)
	if err != nil {
		return nil, err
	}
	o := &Outline{Schema: 1, Source: db.Info(), Tables: []TableOutline{}}
	for _, t := range all.Tables {
		o.Tables = append(o.Tables, outlineOf(t, all))
	}
	return o, nil
}

func outlineOf(t *schema.Table, all *schema.Catalog) TableOutline {
	line := TableOutline{Name: t.Name, Key: append([]string{}, t.Key...), Rows: t.Rows, Refers: []string{}, By: []string{}}
	add := func(to *[]string, name string) {
		if !slices.Contains(*to, name) && !strings.EqualFold(name, t.Name) {
			*to = append(*to, name)
		}
	}
	for _, fk := range t.ForeignKeys {
		add(&line.Refers, fk.Parent)
	}
	for _, other := range all.Tables {
		for _, fk := range other.ForeignKeys {
			if strings.EqualFold(fk.Parent, t.Name) {
				add(&line.By, other.Name)
			}
		}
	}
	for _, o := range t.Obstacles {
		line.Refused = append(line.Refused, o.Reason+"; "+o.Remedy)
	}
	return line
}

// SkeletonOptions say what a plan is to be about.
type SkeletonOptions struct {
	Split  string
	Called string // as commands name the plan: a path, or the split where it lies among the plans
	Source plan.Database
	Target plan.Database
	Tables []string
	// SourceText and TargetText stand in the file instead of the DSNs, which may hold
	// passwords; empty: the DSNs do.
	SourceText, TargetText string
}

// Skeleton writes a plan for tables of the source as they are: every foreign key that the
// split would cut stands there as a loose key that means the same. It changes nothing.
func Skeleton(ctx context.Context, o SkeletonOptions) ([]byte, error) {
	outline, err := Look(ctx, o.Source)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, t := range outline.Tables {
		known = append(known, t.Name)
	}
	for i, name := range o.Tables {
		at := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) })
		if at < 0 {
			return nil, program.Fail(program.Usage, yamldoc.DidYouMean(name, known), "there is no table %s in %s", name, outline.Source.Name)
		}
		o.Tables[i] = known[at]
	}
	db, err := open(ctx, o.Source, false, false, 0)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	catalog, err := db.Catalog(ctx, o.Tables)
	if err != nil {
		return nil, err
	}
	text := skeleton(o, outline, catalog)
	_, err = plan.Parse("the plan that was made", text, plan.Options{LookupEnv: func(string) (string, bool) { return "anything", true }})
	var problems *yamldoc.ProblemsError
	if errors.As(err, &problems) && !strings.Contains(err.Error(), "same database") {
		return nil, fmt.Errorf("these tables cannot be written into a plan: %w", err)
	}
	return text, nil
}

func skeleton(o SkeletonOptions, outline *Outline, c *schema.Catalog) []byte {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# The plan of split %s. What it would do, and what stands against it, says", o.Split)
	line("#   strangler split plan %s", cmp.Or(o.Called, o.Split))
	line("# docs/reference/split-plan.md explains every setting. ${NAME} stands for a variable of")
	line("# the environment, ${NAME:-default} has a default.")
	line("version: 1")
	line("split: %s", o.Split)
	line("source: { driver: %s, dsn: %s }", o.Source.Driver, strconv.Quote(textOr(o.SourceText, o.Source.DSN)))
	line("target: { driver: %s, dsn: %s }", o.Target.Driver, strconv.Quote(textOr(o.TargetText, o.Target.DSN)))
	line("create_target: true # make the tables there; false: the service's own migrations did")
	line("")
	line("tables:")
	for _, t := range c.Tables {
		line("  - %-30s # %s", scalar(t.Name), about(t))
		for _, obstacle := range t.Obstacles {
			line("    # cannot be moved: %s; %s", oneLine(obstacle.Reason), oneLine(obstacle.Remedy))
		}
	}
	loose(line, c)
	uses(line, c)
	line("")
	line("# With a proxy in front: its routes that go over with the tables, those that write them,")
	line("# too, and only wait meanwhile, and where the proxies are asked for it.")
	line("# routes: { flip: [NAME], wait: [NAME] }")
	line("# proxies: [\"http://127.0.0.1:8081\"]")
	return []byte(b.String())
}

func textOr(text, dsn string) string {
	if text != "" {
		return text
	}
	return dsn
}

// about says what a table is known by, and what is special about it.
func about(t *schema.Table) string {
	text := "key " + strings.Join(t.Key, ", ")
	if len(t.Key) == 0 {
		text = "no key"
	}
	text += fmt.Sprintf("; about %d rows", t.Rows)
	for _, trigger := range t.Triggers {
		text += "; trigger " + trigger.Name
	}
	return oneLine(text)
}

// loose writes the loose keys.
func loose(line func(string, ...any), c *schema.Catalog) {
	cut := c.Cut()
	if len(cut) == 0 {
		return
	}
	line("")
	line("# Foreign keys that no database can watch after the split. on_delete says what becomes of")
	line("# the rows that refer to one that is deleted: keep, delete, or nullify the reference. The")
	line("# engine carries it out for rows in these tables; those of a table that stays are the")
	line("# application's to keep in order once the target owns what they refer to.")
	line("loose_keys:")
	for _, fk := range cut {
		note := "declared ON DELETE " + fk.OnDelete
		if c.Table(fk.Table) == nil {
			note = "of a table that stays; " + note
		}
		line("  - %s # %s", looseLine(fk.From(), fk.To(), suggested(c, fk)), note)
	}
}

// uses writes what goes on using the tables in the source.
func uses(line func(string, ...any), c *schema.Catalog) {
	if len(c.Views)+len(c.Triggers) == 0 {
		return
	}
	line("")
	line("# In the source these use the tables. They see a copy that is kept current until the split")
	line("# is complete, and have to go before that:")
	for _, v := range c.Views {
		line("#   view %s", oneLine(v.Name))
	}
	for _, t := range c.Triggers {
		line("#   trigger %s on %s", oneLine(t.Name), oneLine(t.Table))
	}
}

// looseLine is a loose key as a plan says it.
func looseLine(from, to, onDelete string) string {
	return fmt.Sprintf("{ from: %s, to: %s, on_delete: %s }", scalar(from), scalar(to), onDelete)
}

var plainScalar = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)

// scalar is a text as YAML takes it for one, also within braces.
func scalar(s string) string {
	reserved := []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
	if plainScalar.MatchString(s) && !slices.Contains(reserved, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(s)
}

// oneLine keeps a name from ending a comment.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
