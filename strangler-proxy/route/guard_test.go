package route_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func rules(all []route.Objection) string {
	var words []string
	for _, o := range all {
		words = append(words, string(o.Rule))
	}
	return strings.Join(words, " ")
}

func TestGuard(t *testing.T) {
	t.Parallel()
	proof := route.Evidence{Compared: 100, Mismatches: 1}
	canary := route.Canary(5_00)
	for _, c := range []struct {
		move route.Move
		want string // the rules
		text string // that one objection holds
	}{
		// One stage forward, and any number back.
		{route.Move{From: route.Monolith, To: route.Shadow, Method: "GET"}, "", ""},
		{route.Move{From: route.Shadow, To: canary, Method: "GET"}, "", ""},
		{route.Move{From: canary, To: route.Canary(100_00), Method: "GET"}, "", ""},
		{route.Move{From: canary, To: route.Live, Method: "GET", Evidence: proof}, "", ""},
		{route.Move{From: route.Live, To: route.Done, Method: "GET"}, "", ""},
		{route.Move{From: route.Live, To: route.Monolith, Method: "POST"}, "", ""},
		{route.Move{From: canary, To: route.Canary(0)}, "", ""},
		{route.Move{From: route.Shadow, To: route.Shadow}, "", ""},
		{route.Move{From: 0, To: route.Shadow, Method: "GET"}, "", ""},
		{route.Move{From: route.Monolith, To: canary, Method: "GET"}, "steps", "from monolith to canary 5% skips shadow | go to shadow first"},
		{route.Move{From: route.Shadow, To: route.Live, Method: "GET", Evidence: proof}, "steps", "skips canary | go to canary 5% first"},
		{route.Move{From: route.Monolith, To: route.Done, Method: "GET", Evidence: proof}, "steps", "skips shadow and canary and live | go to shadow first"},
		{route.Move{From: canary, To: route.Done, Method: "GET", Evidence: proof}, "steps", "skips live | go to live first"},
		// Evidence.
		{route.Move{From: canary, To: route.Live, Method: "GET"}, "evidence", "0 of at least 100 copies"},
		{route.Move{From: canary, To: route.Live, Method: "GET", Evidence: route.Evidence{Compared: 99}}, "evidence", "until 1 more were compared"},
		{route.Move{From: canary, To: route.Live, Method: "GET", Evidence: route.Evidence{Compared: 100, Mismatches: 2}}, "evidence", "2 of 100 compared copies differ, more than 1%"},
		{route.Move{From: canary, To: route.Live, Method: "GET", Evidence: route.Evidence{Compared: 3, Mismatches: 1}, Limits: route.Limits{Compared: 3, Mismatch: 50_00}}, "", ""},
		{route.Move{From: canary, To: route.Live, Method: "GET", Evidence: route.Evidence{Compared: 7, Mismatches: 1}, Limits: route.Limits{Compared: 7}}, "evidence", "more than 0%"},
		{route.Move{From: route.Monolith, To: route.Live, Method: "GET"}, "steps evidence", ""},
		// Writes.
		{route.Move{From: canary, To: route.Live, Evidence: proof}, "writes", "requests that change data (every method)"},
		{route.Move{From: canary, To: route.Live, Method: "POST"}, "writes", "(POST)"},
		{route.Move{From: canary, To: route.Live, Method: "POST", Data: route.DataNone}, "", ""},
		{route.Move{From: canary, To: route.Live, Method: "POST", Data: route.DataMoved, Split: "orders"}, "", ""},
		{route.Move{From: canary, To: route.Live, Data: route.DataSplit, Split: "orders", Evidence: proof}, "writes", "the tables of split orders | strangler split cutover orders"},
		{route.Move{From: canary, To: route.Live, Method: "GET", Data: route.DataSplit, Split: "orders", Evidence: proof}, "writes", "still owns"},
		{route.Move{From: route.Shadow, To: canary, Method: "GET", Data: route.DataSplit, Split: "orders"}, "", ""},
		{route.Move{From: route.Shadow, To: canary, Method: "POST"}, "writes", ""},
		{route.Move{From: route.Shadow, To: canary}, "", ""}, // its reads move, its writes stay
		{route.Move{From: canary, To: route.Canary(50_00), Method: "POST"}, "", ""},
		{route.Move{From: route.Live, To: route.Done, Method: "POST"}, "", ""},
		{route.Move{From: route.Live, To: canary, Method: "POST", Data: route.DataMoved, Split: "orders"}, "writes", "sealed | strangler split rollback orders"},
		{route.Move{From: route.Live, To: route.Monolith, Method: "GET", Data: route.DataMoved, Split: "orders"}, "", ""},
		// Done.
		{route.Move{From: route.Done, To: route.Live, Method: "GET"}, "done", "the route is done"},
		{route.Move{From: route.Done, To: route.Monolith, Method: "GET"}, "done", ""},
		{route.Move{From: route.Done, To: route.Done}, "", ""},
		{route.Move{From: route.Done, To: route.Monolith, Data: route.DataMoved, Split: "s"}, "done writes", ""},
	} {
		c.move.Route = "r"
		all := route.Guard(c.move)
		text := ""
		for _, o := range all {
			text += o.Text + " | " + o.Remedy + "\n"
		}
		if rules(all) != c.want || !strings.Contains(text, c.text) {
			t.Errorf("%+v: %s\n%s want %s, %s", c.move, rules(all), text, c.want, c.text)
		}
	}
}

// Every migration that takes the stages one by one, with proof and with data that it
// owns, is open; and from wherever it stands, the way back.
func TestGuardLetsMigrationsPass(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		compared := rapid.Uint64Range(100, 1<<40).Draw(r, "compared")
		m := route.Move{
			Route: "r", Method: rapid.SampledFrom([]string{"", "GET", "POST"}).Draw(r, "method"),
			Data:     rapid.SampledFrom([]route.Data{route.DataNone, route.DataMoved}).Draw(r, "data"),
			Evidence: route.Evidence{Compared: compared, Mismatches: rapid.Uint64Range(0, compared/100).Draw(r, "mismatches")},
		}
		path := []route.Stage{route.Monolith, route.Shadow, route.Canary(rapid.IntRange(0, route.Everyone).Draw(r, "share")), route.Live, route.Done}
		for i := 1; i < len(path); i++ {
			m.From, m.To = path[i-1], path[i]
			if all := route.Guard(m); all != nil {
				r.Fatalf("%+v: %v", m, all)
			}
			for j := i + 1; j < len(path); j++ {
				if m.To = path[j]; !strings.Contains(rules(route.Guard(m)), string(route.RuleSteps)) {
					r.Fatalf("%+v: no objection", m)
				}
			}
			back := route.Move{Route: "r", From: path[i-1], To: path[rapid.IntRange(0, i-1).Draw(r, "back")], Method: m.Method}
			if all := route.Guard(back); all != nil {
				r.Fatalf("%+v: %v", back, all)
			}
		}
		for _, o := range route.Guard(route.Move{From: route.Monolith, To: route.Done}) {
			if o.Text == "" || o.Remedy == "" || strings.Contains(fmt.Sprint(o), "%!") {
				r.Fatalf("%+v", o)
			}
		}
	})
}
