package plan

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

// A checker walks the tree, fills a Plan and collects what is wrong.
type checker struct {
	lookup   func(string) (string, bool)
	problems []yamldoc.Problem
}

func (c *checker) add(at yamldoc.Pos, remedy, format string, args ...any) {
	c.problems = append(c.problems, yamldoc.Problem{Pos: at, Remedy: remedy, Text: fmt.Sprintf(format, args...)})
}

func (c *checker) plan(root *yamldoc.Node) *Plan {
	p := &Plan{Limits: Limits{
		Fence: DefaultFence, Hold: DefaultHold, Window: DefaultWindow,
		Quiet: DefaultQuiet, Stale: DefaultStale, Dirty: DefaultDirty, Disk: DefaultDisk,
	}}
	if root.Kind == yamldoc.Null {
		c.add(root.Pos, "see docs/reference/split-plan.md", "the plan is empty")
		return p
	}
	c.object(root, "the plan", []string{"version", "split", "source", "target", "tables"}, map[string]func(*yamldoc.Node){
		"version":       c.version,
		"split":         func(n *yamldoc.Node) { p.Split = c.splitName(n) },
		"source":        func(n *yamldoc.Node) { p.Source = c.database(n, "source") },
		"target":        func(n *yamldoc.Node) { p.Target = c.database(n, "target") },
		"tables":        func(n *yamldoc.Node) { p.Tables = c.tables(n) },
		"create_target": func(n *yamldoc.Node) { p.CreateTarget = c.boolean(n, "create_target") },
		"loose_keys":    func(n *yamldoc.Node) { p.LooseKeys = c.looseKeys(n) },
		"routes":        func(n *yamldoc.Node) { p.Routes = c.routes(n) },
		"proxies":       func(n *yamldoc.Node) { p.Proxies = c.proxies(n) },
		"limits":        func(n *yamldoc.Node) { c.limits(n, &p.Limits) },
	})
	if p.Limits.Chunk == 0 {
		p.Limits.Chunk = DefaultChunk
		if p.Source.Driver == PostgreSQL {
			p.Limits.Chunk = LongChunk
		}
	}
	c.sameDatabase(root, p)
	return p
}

// object calls the function of each key of the mapping n, and reports unknown, repeated
// and missing keys.
func (c *checker) object(n *yamldoc.Node, what string, required []string, fields map[string]func(*yamldoc.Node)) {
	if n.Kind != yamldoc.Map {
		c.add(n.Pos, "", "%s must be a mapping, this is %s", what, n.Kind)
		return
	}
	var known []string
	for name := range fields {
		known = append(known, name)
	}
	slices.Sort(known)
	seen := map[string]bool{}
	for _, e := range n.Entries {
		read, ok := fields[e.Key]
		switch {
		case !ok:
			c.add(e.KeyPos, yamldoc.DidYouMean(e.Key, known), "%s has no setting %q", what, e.Key)
		case seen[e.Key]:
			c.add(e.KeyPos, "", "%q stands there twice", e.Key)
		default:
			seen[e.Key] = true
			read(e.Value)
		}
	}
	for _, name := range required {
		if !seen[name] {
			c.add(n.Pos, "", "%s has no %q", what, name)
		}
	}
}

func (c *checker) version(n *yamldoc.Node) {
	if n.Text != "1" || n.Kind != yamldoc.Number {
		c.add(n.Pos, "write version: 1", "version %q of plan files is not known", n.Text)
	}
}

var splitName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,30}$`)

// IsName reports whether a split may be called name.
func IsName(name string) bool { return splitName.MatchString(name) }

func (c *checker) splitName(n *yamldoc.Node) string {
	name := c.text(n, "split")
	if name != "" && !splitName.MatchString(name) {
		c.add(n.Pos, "", "split %q: a name begins with a small letter and holds up to 31 of a-z, 0-9, - and _", name)
	}
	return name
}

func (c *checker) database(n *yamldoc.Node, what string) Database {
	var d Database
	c.object(n, what, []string{"driver", "dsn"}, map[string]func(*yamldoc.Node){
		"driver": func(n *yamldoc.Node) {
			d.Driver = c.text(n, what+".driver")
			if d.Driver != "" && d.Driver != SQLite && d.Driver != PostgreSQL {
				c.add(n.Pos, yamldoc.DidYouMean(d.Driver, []string{SQLite, PostgreSQL}), "driver %q is not known", d.Driver)
			}
		},
		"dsn": func(n *yamldoc.Node) { d.DSN = c.text(n, what+".dsn") },
	})
	return d
}

func (c *checker) sameDatabase(root *yamldoc.Node, p *Plan) {
	if p.Source.DSN != "" && p.Source == p.Target {
		c.add(root.Get("target").Pos, "name another database", "source and target are the same database")
	}
	if p.Source.Driver == PostgreSQL && p.Target.Driver == SQLite {
		c.add(root.Get("target").Pos, "move to pgx", "tables cannot move from PostgreSQL to SQLite")
	}
}

// tables reads names, or mappings with a name and renamed columns.
func (c *checker) tables(n *yamldoc.Node) []Table {
	if n.Kind != yamldoc.List || len(n.Items) == 0 {
		c.add(n.Pos, "tables: [reviews]", "tables must be a list of at least one table")
		return nil
	}
	var tables []Table
	for _, item := range n.Items {
		t := Table{Line: item.Pos.Line}
		if item.Kind == yamldoc.Map {
			c.object(item, "a table", []string{"name"}, map[string]func(*yamldoc.Node){
				"name":    func(n *yamldoc.Node) { t.Name = c.text(n, "name") },
				"columns": func(n *yamldoc.Node) { t.Columns = c.renames(n) },
			})
		} else {
			t.Name = c.text(item, "a table")
		}
		switch {
		case t.Name == "":
		case strings.HasPrefix(strings.ToLower(t.Name), "_strangler_"), strings.HasPrefix(strings.ToLower(t.Name), "sqlite_"):
			c.add(item.Pos, "", "table %q is not the application's", t.Name)
		case slices.ContainsFunc(tables, func(o Table) bool { return strings.EqualFold(o.Name, t.Name) }):
			c.add(item.Pos, "", "table %q stands there twice", t.Name)
		default:
			tables = append(tables, t)
		}
	}
	return tables
}

func (c *checker) renames(n *yamldoc.Node) map[string]string {
	if n.Kind != yamldoc.Map {
		c.add(n.Pos, "columns: {body: text}", "columns must map names in the source to names in the target, this is %s", n.Kind)
		return nil
	}
	renames, used := map[string]string{}, map[string]bool{}
	for _, e := range n.Entries {
		to := c.text(e.Value, "column "+e.Key)
		switch {
		case renames[e.Key] != "":
			c.add(e.KeyPos, "", "column %q stands there twice", e.Key)
		case used[to]:
			c.add(e.Value.Pos, "", "two columns go to %q", to)
		case to != "":
			renames[e.Key], used[to] = to, true
		}
	}
	return renames
}

func (c *checker) looseKeys(n *yamldoc.Node) []LooseKey {
	if n.Kind != yamldoc.List {
		c.add(n.Pos, "", "loose_keys must be a list, this is %s", n.Kind)
		return nil
	}
	var keys []LooseKey
	for _, item := range n.Items {
		k := LooseKey{Line: item.Pos.Line}
		c.object(item, "a loose key", []string{"from", "to", "on_delete"}, map[string]func(*yamldoc.Node){
			"from": func(n *yamldoc.Node) { k.From = c.reference(n, "from") },
			"to":   func(n *yamldoc.Node) { k.To = c.reference(n, "to") },
			"on_delete": func(n *yamldoc.Node) {
				k.OnDelete = c.text(n, "on_delete")
				if choice := []string{Keep, Delete, Nullify}; k.OnDelete != "" && !slices.Contains(choice, k.OnDelete) {
					c.add(n.Pos, "use keep, delete or nullify", "on_delete %q is not known", k.OnDelete)
				}
			},
		})
		if slices.ContainsFunc(keys, func(o LooseKey) bool { return o.From == k.From && o.To == k.To }) {
			c.add(item.Pos, "", "the loose key from %s stands there twice", k.From)
		}
		keys = append(keys, k)
	}
	return keys
}

func (c *checker) reference(n *yamldoc.Node, what string) string {
	text := c.text(n, what)
	if text == "" {
		return ""
	}
	table, columns, ok := schema.ParseReference(text)
	if !ok {
		c.add(n.Pos, `e.g. reviews.product_id; names with spaces or signs in double quotes: '"my table".id'`, "%s: %q is not table.column", what, text)
		return text
	}
	return schema.Reference(table, columns)
}

func (c *checker) routes(n *yamldoc.Node) Routes {
	var r Routes
	c.object(n, "routes", nil, map[string]func(*yamldoc.Node){
		"flip": func(n *yamldoc.Node) { r.Flip = c.names(n, "flip") },
		"wait": func(n *yamldoc.Node) { r.Wait = c.names(n, "wait") },
	})
	for _, name := range r.Wait {
		if slices.Contains(r.Flip, name) {
			c.add(n.Get("wait").Pos, "", "route %q is to flip and to wait", name)
		}
	}
	return r
}

func (c *checker) proxies(n *yamldoc.Node) []*url.URL {
	var urls []*url.URL
	for i, text := range c.names(n, "proxies") {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
			c.add(n.Items[i].Pos, "e.g. http://127.0.0.1:8081", "proxies: %q is not the address of a proxy's admin API", text)
			continue
		}
		urls = append(urls, u)
	}
	return urls
}
