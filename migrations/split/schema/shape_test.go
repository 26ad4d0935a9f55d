package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/migrations/split/schema"
)

func TestMatchPairsColumns(t *testing.T) {
	source := &schema.Table{Name: "r", Key: []string{"b", "a"}, Columns: []schema.Column{
		{Name: "x"}, {Name: "a"}, {Name: "b"}, {Name: "sum", Generated: schema.Virtual}, {Name: "gone", Generated: schema.Stored},
	}}
	target := &schema.Table{Name: "r", Key: []string{"b2", "a"}, Columns: []schema.Column{
		{Name: "sum", Generated: schema.Stored}, {Name: "a"}, {Name: "b2"}, {Name: "x"}, {Name: "new"}, {Name: "kept", NotNull: true, Default: "1"},
	}}
	from, to, obstacles := schema.Match(source, target, schema.Renames{"b": "b2"})
	if len(obstacles) > 0 {
		t.Fatal(obstacles)
	}
	if !slices.Equal(from.Names, []string{"b", "a", "x", "sum"}) || !slices.Equal(to.Names, []string{"b2", "a", "x", "sum"}) {
		t.Errorf("paired %v with %v", from.Names, to.Names)
	}
	if !slices.Equal(from.Key(), []string{"b", "a"}) || !slices.Equal(from.Written(), []string{"b", "a", "x"}) {
		t.Errorf("key %v, written %v", from.Key(), from.Written())
	}
}

func TestMatchNamesObstacles(t *testing.T) {
	source := &schema.Table{Name: "r", Key: []string{"id"}, Columns: []schema.Column{
		{Name: "id"}, {Name: "a"}, {Name: "b"}, {Name: "c", Generated: schema.Virtual},
	}}
	target := &schema.Table{Name: "r", Key: []string{"id", "b"}, Columns: []schema.Column{
		{Name: "id"}, {Name: "b", Generated: schema.Stored}, {Name: "c"}, {Name: "must", NotNull: true},
	}}
	_, _, obstacles := schema.Match(source, target, nil)
	var all []string
	for _, o := range obstacles {
		if o.Remedy == "" {
			t.Errorf("%q has no remedy", o.Reason)
		}
		all = append(all, o.Reason)
	}
	for _, want := range []string{"column a has no counterpart", "column b is written in the source and computed", "column c is computed in the source", "the key is (id)", "column must of the target"} {
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("no obstacle %q among %q", want, all)
		}
	}
}
