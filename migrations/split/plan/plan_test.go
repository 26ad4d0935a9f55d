package plan_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
)

const whole = `version: 1
split: reviews
source: { driver: sqlite3, dsn: "file:${SHOP_DB}" }
target: { driver: pgx, dsn: "${REVIEWS_DSN:-postgres://localhost/reviews}" }
tables:
  - reviews
  - { name: votes, columns: { body: text } }
create_target: true
loose_keys:
  - { from: reviews.product_id, to: products.id, on_delete: keep }
  - { from: "votes.a, b", to: "pairs.a,b", on_delete: nullify }
routes: { flip: [product-reviews], wait: [admin-products] }
proxies: ["http://127.0.0.1:8081"]
limits: { chunk: 10ms, window: 48h, quiet: 2h, dirty: 7, disk: 1GiB }
`

func lookup(name string) (string, bool) {
	value, ok := map[string]string{"SHOP_DB": "var/shop.db"}[name]
	return value, ok
}

func TestParseReadsAPlan(t *testing.T) {
	p, err := plan.Parse("plan.yaml", []byte(whole), plan.Options{LookupEnv: lookup})
	if err != nil {
		t.Fatal(err)
	}
	if p.Split != "reviews" || p.Source.DSN != "file:var/shop.db" || p.Target.DSN != "postgres://localhost/reviews" || !p.CreateTarget {
		t.Errorf("read %+v", p)
	}
	if len(p.Tables) != 2 || p.Tables[1].Name != "votes" || p.Tables[1].Columns["body"] != "text" {
		t.Errorf("tables %+v", p.Tables)
	}
	if len(p.LooseKeys) != 2 || p.LooseKeys[1].From != "votes.a,b" || p.LooseKeys[1].OnDelete != plan.Nullify {
		t.Errorf("loose keys %+v", p.LooseKeys)
	}
	l := p.Limits
	if l.Chunk != 10*time.Millisecond || l.Fence != plan.DefaultFence || l.Window != 48*time.Hour || l.Quiet != 2*time.Hour || l.Dirty != 7 || l.Disk != 1<<30 {
		t.Errorf("limits %+v", l)
	}
}

// TestParseNamesEveryProblem breaks one thing at a time, and then many at once.
func TestParseNamesEveryProblem(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"version: 1", "version: 2", `plan.yaml:1:10: version "2"`},
		{"split: reviews", "split: Reviews!", `2:8: split "Reviews!"`},
		{"split: reviews", "splitt: reviews", `2:1: the plan has no setting "splitt" (did you mean "split"?)`},
		{"sqlite3", "sqlite", `driver "sqlite" is not known (did you mean "sqlite3"?)`},
		{"SHOP_DB", "SHOP_FILE", "environment variable SHOP_FILE is not set"},
		{"  - reviews\n", "  - reviews\n  - Reviews\n", `table "Reviews" stands there twice`},
		{"  - reviews\n", "  - _strangler_log\n", `table "_strangler_log" is not the application's`},
		{"body: text", "body: text, head: text", `two columns go to "text"`},
		{"reviews.product_id", "product_id", `"product_id" is not table.column`},
		{"on_delete: keep", "on_delete: cascade", `on_delete "cascade" is not known`},
		{"wait: [admin-products]", "wait: [product-reviews]", `route "product-reviews" is to flip and to wait`},
		{"http://127.0.0.1:8081", "127.0.0.1:8081", "is not the address of a proxy's admin API"},
		{"chunk: 10ms", "chunk: 10", "14:18: chunk needs a unit (write 10s for seconds)"},
		{"window: 48h", "window: 99999h", "is not between"},
		{"disk: 1GiB", "disk: 1 GB", `"1 GB" is no size`},
		{"driver: pgx, dsn: \"${REVIEWS_DSN:-postgres://localhost/reviews}\"", `driver: sqlite3, dsn: "file:var/shop.db"`, "source and target are the same database"},
	} {
		text := strings.Replace(whole, c.from, c.to, 1)
		if text == whole {
			t.Fatalf("%q is not in the plan", c.from)
		}
		_, err := plan.Parse("plan.yaml", []byte(text), plan.Options{LookupEnv: lookup})
		var problems *yamldoc.ProblemsError
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s → %s: error\n%v\nwant %q", c.from, c.to, err, c.want)
		}
	}
	_, err := plan.Parse("plan.yaml", []byte("version: 3\ntables: []\nlimits: {hold: 1h}\n"), plan.Options{})
	var problems *yamldoc.ProblemsError
	if !errors.As(err, &problems) || len(problems.Problems) < 6 {
		t.Errorf("not every problem is named: %v", err)
	}
}

// FuzzParse looks only for panics.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("tables: [{}]\nlimits: [1]\nproxies: {}\nloose_keys: [3]\nroutes: 1\nsource:\n"))
	f.Fuzz(func(t *testing.T, source []byte) {
		p, err := plan.Parse("p", source, plan.Options{})
		if (p == nil) == (err == nil) {
			t.Errorf("plan %v and error %v", p, err)
		}
	})
}
