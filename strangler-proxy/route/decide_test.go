package route_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

const (
	keyIn  = "00000000000000000000000000000001" // its bucket for r is below 5000
	keyOut = "00000000000000000000000000000000"
)

// single is a table with the route r for /r at the stage, changed as told.
func single(t testing.TB, stage route.Stage, change func(*route.Route, *route.Policy)) *route.Table {
	t.Helper()
	match, err := route.ParseTemplate("/r")
	if err != nil {
		t.Fatal(err)
	}
	r, policy := route.Route{Name: "r", Match: match, Service: "s", Stage: stage}, route.Policy{}
	if change != nil {
		change(&r, &policy)
	}
	table, err := route.Build([]route.Route{r})
	if err != nil {
		t.Fatal(err)
	}
	return table.With(policy)
}

// outcome is a decision as a short text, such as "S canary +fallback".
func outcome(t testing.TB, table *route.Table, method string, head route.Head) string {
	t.Helper()
	head.Method, head.Path = method, "/r"
	d, err := route.Decide(table, head)
	if err != nil {
		t.Fatal(err)
	}
	text := []string{"M", "S"}[d.Side] + " " + string(d.Reason)
	text += []string{"", " copy>S", " copy>M"}[d.Copy]
	if d.Fallback {
		text += " +fallback"
	}
	if d.NeedsKey {
		text += " ?key"
	}
	if d.NewKey != "" {
		text += " !" + d.NewKey[len(d.NewKey)-1:]
	}
	return text
}

func withCookie(value string) route.Head {
	return route.Head{Header: http.Header{"Cookie": {value}}}
}

// The table of stages, row by row: reads, then writes by whom the data belongs to.
func TestDecideByStage(t *testing.T) {
	t.Parallel()
	if in, out := route.Bucket("r", keyIn), route.Bucket("r", keyOut); in >= 50_00 || out < 50_00 {
		t.Fatalf("buckets %d and %d", in, out)
	}
	for _, row := range []struct {
		stage                                      route.Stage
		read, readOut, unsaid, none, splits, moved string
	}{
		{route.Monolith, "M stage-stays", "M stage-stays", "M stage-stays", "M stage-stays", "M stage-stays", "S writes-moved"},
		{0, "M stage-stays", "M stage-stays", "M stage-stays", "M stage-stays", "M stage-stays", "S writes-moved"},
		{
			route.Shadow, "M stage-stays copy>S", "M stage-stays copy>S",
			"M stage-stays copy>S", "M stage-stays copy>S", "M stage-stays copy>S", "S writes-moved",
		},
		{
			route.Canary(50_00), "S canary +fallback", "M canary-rest copy>S",
			"M writes-stay copy>S", "S canary +fallback", "M writes-stay copy>S", "S writes-moved",
		},
		{
			route.Canary(0), "M canary-rest copy>S", "M canary-rest copy>S",
			"M writes-stay copy>S", "M canary-rest copy>S", "M writes-stay copy>S", "S writes-moved",
		},
		{
			route.Canary(100_00), "S canary +fallback", "S canary +fallback",
			"M writes-stay copy>S", "S canary +fallback", "M writes-stay copy>S", "S writes-moved",
		},
		{
			route.Live, "S stage-live copy>M +fallback", "S stage-live copy>M +fallback",
			"S stage-live +fallback", "S stage-live +fallback", "M tables-stay", "S stage-live",
		},
		{route.Done, "S stage-done", "S stage-done", "S stage-done", "S stage-done", "M tables-stay", "S stage-done"},
	} {
		writes := map[route.Data]string{route.DataUnsaid: row.unsaid, route.DataNone: row.none, route.DataSplit: row.splits, route.DataMoved: row.moved}
		for data, write := range writes {
			table := single(t, row.stage, func(r *route.Route, _ *route.Policy) { r.Data = data })
			read, readOut := row.read, row.readOut
			if data == route.DataSplit && row.stage >= route.Live { // somebody was quicker than the tables
				read, readOut = "M tables-stay", "M tables-stay"
			}
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				if got := outcome(t, table, method, withCookie("_strangler_id="+keyIn)); got != read {
					t.Errorf("%s %s, data %d: %s, want %s", row.stage, method, data, got, read)
				}
				if got := outcome(t, table, method, withCookie("_strangler_id="+keyOut)); got != readOut {
					t.Errorf("%s %s, data %d, outside: %s, want %s", row.stage, method, data, got, readOut)
				}
			}
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE", "get"} {
				if got := outcome(t, table, method, withCookie("_strangler_id="+keyIn)); got != write {
					t.Errorf("%s %s, data %d: %s, want %s", row.stage, method, data, got, write)
				}
			}
		}
	}
}

func TestKeysOfClients(t *testing.T) {
	t.Parallel()
	header, session, auto := route.KeySource{Header: "X-User-Id"}, route.KeySource{Cookie: "session"}, route.KeySource{}
	user := func(values ...string) route.Head { return route.Head{Header: http.Header{"X-User-Id": values}} }
	drawn := func(h route.Head, key string) route.Head { h.Drawn = key; return h }
	fresh := route.Head{Header: http.Header{}}
	for i, c := range []struct {
		sticky route.Sticky
		head   route.Head
		want   string
	}{
		{nil, fresh, "M no-key copy>S ?key"},
		{nil, route.Head{}, "M no-key copy>S ?key"},
		{nil, drawn(fresh, keyIn), "S canary +fallback !1"},
		{nil, drawn(fresh, keyOut), "M canary-rest copy>S !0"},
		{nil, withCookie("_strangler_id=" + keyIn), "S canary +fallback"},
		{nil, drawn(withCookie("_strangler_id="+keyIn), keyOut), "S canary +fallback"},
		{nil, withCookie("a=b;_strangler_id=" + keyIn + " ; c=d"), "S canary +fallback"},
		{nil, withCookie("x_strangler_id=" + keyIn), "M no-key copy>S ?key"},
		{nil, withCookie("_strangler_id=" + strings.ToUpper(keyIn[:31]) + "A"), "M no-key copy>S ?key"},
		{nil, withCookie("_strangler_id=everybody"), "M no-key copy>S ?key"},
		{nil, withCookie("_strangler_id="), "M no-key copy>S ?key"},
		{nil, withCookie(";;;=;"), "M no-key copy>S ?key"},
		{route.Sticky{header, auto}, user(keyOut), "M canary-rest copy>S"},
		{route.Sticky{header, auto}, user(keyIn), "S canary +fallback"},
		{route.Sticky{header, auto}, user(keyIn, keyIn), "M no-key copy>S ?key"},
		{route.Sticky{header, auto}, user(""), "M no-key copy>S ?key"},
		{route.Sticky{header}, fresh, "M no-key copy>S"},
		{route.Sticky{header}, drawn(fresh, keyIn), "M no-key copy>S"},
		{route.Sticky{header, session}, withCookie("session=" + keyIn), "S canary +fallback"},
		{route.Sticky{session, header}, withCookie("session="), "M no-key copy>S"},
		{route.Sticky{session}, withCookie("session=" + keyOut + "; session=" + keyIn), "M canary-rest copy>S"},
	} {
		table := single(t, route.Canary(50_00), func(r *route.Route, _ *route.Policy) { r.Sticky = c.sticky })
		if got := outcome(t, table, "GET", c.head); got != c.want {
			t.Errorf("%d: %v %+v: %s, want %s", i, c.sticky, c.head, got, c.want)
		}
	}
	// A key is asked for only where it decides.
	for _, stage := range []route.Stage{route.Monolith, route.Shadow, route.Canary(0), route.Canary(100_00), route.Live, route.Done} {
		if got := outcome(t, single(t, stage, nil), "GET", drawn(fresh, keyIn)); strings.ContainsAny(got, "?!") {
			t.Errorf("%s: %s", stage, got)
		}
	}
}

func TestKeySources(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"header:x-user-id": "header:X-User-Id", "cookie:session": "cookie:session", "auto-cookie": "auto-cookie",
		"": "", "auto": "", "header:": "", "cookie:": "", "header:a b": "", "cookie:a=b": "", "query:x": "", "header:Cookie": "", "header:Host": "",
		"header:X-Forwarded-For": "", "header:X-Strangler-Force": "", "cookie:_strangler_id": "", "cookie:strangler_force": "", "header": "",
	} {
		k, err := route.ParseKeySource(text)
		if (err != nil) != (want == "") || err == nil && k.String() != want {
			t.Errorf("%q: %q %v, want %q", text, k, err, want)
		}
	}
}

func TestCohorts(t *testing.T) {
	t.Parallel()
	beta, err := route.HeaderCondition("x-beta", "yes")
	if err != nil {
		t.Fatal(err)
	}
	office := netip.MustParsePrefix("10.0.0.0/8")
	member := route.Head{Header: http.Header{"X-Beta": {"yes"}}}
	at := func(peer string) route.Head {
		return route.Head{Header: http.Header{}, Peer: netip.MustParseAddr(peer)}
	}
	cohorts := func(all ...route.Cohort) func(*route.Route, *route.Policy) {
		return func(r *route.Route, _ *route.Policy) { r.Cohorts, r.Sticky = all, userID }
	}
	both := cohorts(route.Cohort{Header: beta}, route.Cohort{Peers: office})
	for i, c := range []struct {
		stage  route.Stage
		change func(*route.Route, *route.Policy)
		head   route.Head
		want   string
	}{
		{route.Canary(0), both, member, "S cohort +fallback"},
		{route.Canary(0), both, at("10.1.2.3"), "S cohort +fallback"},
		{route.Canary(0), both, at("::ffff:10.1.2.3"), "S cohort +fallback"},
		{route.Canary(0), both, at("11.1.2.3"), "M canary-rest copy>S"},
		{route.Canary(0), both, route.Head{Header: http.Header{"X-Beta": {"yes", "yes"}}}, "M canary-rest copy>S"},
		{route.Canary(0), both, route.Head{}, "M canary-rest copy>S"},
		{route.Canary(0), cohorts(route.Cohort{Header: beta, Peers: office}), member, "M canary-rest copy>S"},
		{route.Canary(0), cohorts(route.Cohort{}), member, "M canary-rest copy>S"},
		{route.Monolith, both, member, "M stage-stays"},
		{route.Shadow, both, member, "M stage-stays copy>S"},
		{route.Live, both, member, "S stage-live copy>M +fallback"},
	} {
		if got := outcome(t, single(t, c.stage, c.change), "GET", c.head); got != c.want {
			t.Errorf("%d: %s, want %s", i, got, c.want)
		}
	}
	if got := outcome(t, single(t, route.Canary(0), both), "POST", member); got != "M writes-stay copy>S" {
		t.Errorf("a write of a cohort: %s", got)
	}
}

// AC17: header before cookie before percent, for those who may; a stage that has one
// side only, and panic, know no force.
func TestForce(t *testing.T) {
	t.Parallel()
	const secret = "sixteen-and-more"
	trusted := netip.MustParsePrefix("127.0.0.0/8")
	asks := func(header, cookies, peer string) route.Head {
		h := http.Header{"X-User-Id": {keyOut}}
		if header != "" {
			h["X-Strangler-Force"] = strings.Split(header, "|")
		}
		if cookies != "" {
			h.Set("Cookie", cookies)
		}
		return route.Head{Header: h, Peer: netip.MustParseAddr(peer)}
	}
	const inside, outside = "127.0.0.1", "192.0.2.1"
	for _, c := range []struct {
		stage  route.Stage
		method string
		head   route.Head
		want   string
	}{
		{route.Canary(50_00), "GET", asks("service", "", inside), "S forced-header +fallback"},
		{route.Canary(50_00), "GET", asks("monolith", "strangler_force=service", inside), "M forced-header copy>S"},
		{route.Canary(50_00), "GET", asks("", "a=1; strangler_force=service", inside), "S forced-cookie +fallback"},
		{route.Canary(50_00), "GET", asks("", "strangler_force=service:"+secret, outside), "S forced-cookie +fallback"},
		{route.Canary(50_00), "GET", asks("service:"+secret, "", outside), "S forced-header +fallback"},
		{route.Canary(50_00), "GET", asks("service:wrong", "strangler_force=service:"+secret, outside), "S forced-cookie +fallback"},
		{route.Canary(50_00), "GET", asks("service", "", outside), "M canary-rest copy>S"},
		{route.Canary(50_00), "GET", asks("service:", "", outside), "M canary-rest copy>S"},
		{route.Canary(50_00), "GET", asks("service:"+secret+"x", "", outside), "M canary-rest copy>S"},
		{route.Canary(50_00), "GET", asks("service|service", "", inside), "M canary-rest copy>S"},
		{route.Canary(50_00), "GET", asks("s", "strangler_force=maybe", inside), "M canary-rest copy>S"},
		{route.Canary(50_00), "POST", asks("service", "", inside), "M writes-stay copy>S"},
		{route.Shadow, "GET", asks("service", "", inside), "S forced-header +fallback"},
		{route.Shadow, "POST", asks("service", "", inside), "M stage-stays copy>S"},
		{route.Live, "GET", asks("monolith", "", inside), "M forced-header"},
		{route.Live, "POST", asks("monolith", "", inside), "S stage-live +fallback"},
		{route.Monolith, "GET", asks("service", "", inside), "M stage-stays"},
		{route.Done, "GET", asks("monolith", "", inside), "S stage-done"},
	} {
		table := single(t, c.stage, func(r *route.Route, p *route.Policy) {
			r.Sticky, p.Force = userID, route.NewForce([]netip.Prefix{trusted}, secret)
		})
		if got := outcome(t, table, c.method, c.head); got != c.want {
			t.Errorf("%s %s %v from %s: %s, want %s", c.stage, c.method, c.head.Header, c.head.Peer, got, c.want)
		}
		if got := outcome(t, single(t, c.stage, nil), c.method, c.head); strings.Contains(got, "forced") {
			t.Errorf("%s: without a policy: %s", c.stage, got)
		}
	}
	none := single(t, route.Shadow, func(r *route.Route, p *route.Policy) {
		r.Data, p.Force = route.DataNone, route.NewForce([]netip.Prefix{trusted}, "")
	})
	if got := outcome(t, none, "POST", asks("service", "", inside)); got != "S forced-header +fallback" {
		t.Errorf("a write without data of its own: %s", got)
	}
	if got := outcome(t, none, "GET", asks("service:", "", outside)); strings.Contains(got, "forced") {
		t.Errorf("an empty secret opens: %s", got)
	}
}

func TestPanicBeatsEverythingButDoneAndOwners(t *testing.T) {
	t.Parallel()
	h := route.Head{Header: http.Header{"X-Beta": {"yes"}, "X-Strangler-Force": {"service"}, "Cookie": {"_strangler_id=" + keyIn}}, Peer: netip.MustParseAddr("127.0.0.1")}
	for _, c := range []struct {
		stage             route.Stage
		read, write       string // while nobody says who owns the data
		movedTo, movedHas string // when the service owns the tables: reads, writes
	}{
		{route.Monolith, "M panic", "M panic", "M panic", "S writes-moved"},
		{route.Shadow, "M panic", "M panic", "M panic", "S writes-moved"},
		{route.Canary(100_00), "M panic", "M panic", "M panic", "S writes-moved"},
		{route.Live, "M panic", "M panic", "S tables-moved +fallback", "S tables-moved"},
		{route.Done, "S stage-done", "S stage-done", "S stage-done", "S stage-done"},
	} {
		for _, data := range []route.Data{route.DataUnsaid, route.DataNone, route.DataMoved} {
			table := single(t, c.stage, func(r *route.Route, p *route.Policy) {
				r.Data = data
				r.Cohorts = []route.Cohort{{Header: route.Condition{Name: "X-Beta", Value: route.Any}}}
				*p = route.Policy{Panic: true, Force: route.NewForce([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, "")}
			})
			want := map[string]string{"GET": c.read, "POST": c.write}
			if data == route.DataMoved {
				want = map[string]string{"GET": c.movedTo, "POST": c.movedHas}
			}
			for method, want := range want {
				if got := outcome(t, table, method, h); got != want {
					t.Errorf("%s %s, data %d: %s, want %s", c.stage, method, data, got, want)
				}
			}
		}
	}
}

// TestHeldSaysWhatDecideDoes asks for the sentence wherever the owner of the tables decides,
// and nowhere else.
func TestHeldSaysWhatDecideDoes(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"", "GET", "POST"} {
		for _, data := range []route.Data{route.DataUnsaid, route.DataNone, route.DataSplit, route.DataMoved} {
			for _, stage := range []route.Stage{route.Monolith, route.Shadow, route.Canary(50_00), route.Live, route.Done} {
				for _, panicking := range []bool{false, true} {
					of := &route.Route{Name: "r", Service: "S", Stage: stage, Data: data, Match: route.Template{Method: method}}
					normal := *of
					normal.Data = route.DataUnsaid // as if there were no split
					differs := false
					for _, m := range []string{"GET", "POST"} {
						if method != "" && m != method || data == route.DataNone {
							continue
						}
						differs = differs || sideOf(t, *of, m, panicking) != sideOf(t, normal, m, panicking)
					}
					if stage.IsCanary() && !panicking {
						differs = false // that writes stay or go is what a canary is about
					}
					if said := of.Held("s", panicking); (said != "") != differs {
						t.Errorf("%q %s, data %d, panic %v: said %q, but differs: %v", method, stage, data, panicking, said, differs)
					}
				}
			}
		}
	}
}

func sideOf(t *testing.T, r route.Route, method string, panicking bool) route.Side {
	t.Helper()
	table := single(t, r.Stage, func(of *route.Route, p *route.Policy) { of.Data, p.Panic = r.Data, panicking })
	d, err := route.Decide(table, route.Head{Method: method, Path: "/r"})
	if err != nil {
		t.Fatal(err)
	}
	return d.Side
}

// What holds whatever comes: one decision per request, made by the head alone, and
// never against the rules that keep data safe.
func TestDecideProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		stage := rapid.SampledFrom([]route.Stage{0, route.Monolith, route.Shadow, route.Canary(0), route.Canary(30_00), route.Canary(100_00), route.Live, route.Done}).Draw(r, "stage")
		data := rapid.SampledFrom([]route.Data{route.DataUnsaid, route.DataNone, route.DataSplit, route.DataMoved}).Draw(r, "data")
		panics := rapid.Bool().Draw(r, "panic")
		table := single(t, stage, func(rt *route.Route, p *route.Policy) {
			rt.Data = data
			rt.Cohorts = []route.Cohort{{Header: route.Condition{Name: "X-Beta", Value: "yes"}}}
			*p = route.Policy{Panic: panics, Force: route.NewForce([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "")}
		})
		head := route.Head{
			Method: rapid.SampledFrom([]string{"GET", "HEAD", "POST", "DELETE"}).Draw(r, "method"), Path: "/r", Header: http.Header{},
			Peer: netip.MustParseAddr(rapid.SampledFrom([]string{"127.0.0.1", "192.0.2.1"}).Draw(r, "peer")),
		}
		for name, values := range map[string][]string{
			"X-Beta": {"yes", "no"}, "X-Strangler-Force": {"service", "monolith", "x"}, "Cookie": {"_strangler_id=" + keyIn, "strangler_force=service", "a=b"},
		} {
			if value := rapid.SampledFrom(append(values, "")).Draw(r, name); value != "" {
				head.Header.Set(name, value)
			}
		}
		d, err := route.Decide(table, head)
		again, _ := route.Decide(table, head)
		what := fmt.Sprintf("%s data %d panic %v %+v: %+v", stage, data, panics, head, d)
		write := !route.Safe(head.Method)
		switch {
		case err != nil || d != again:
			r.Fatalf("%s, then %+v %v", what, again, err)
		case d.Fallback && (d.Side == route.ToMonolith || stage == route.Done || write && data >= route.DataSplit):
			r.Fatalf("fallback: %s", what)
		case write && (data == route.DataMoved && d.Side != route.ToService || data == route.DataSplit && d.Side != route.ToMonolith):
			r.Fatalf("a write to tables that are closed: %s", what)
		case d.Reason == route.TablesStay || d.Reason == route.TablesMoved || d.Reason == route.WritesMoved: // whatever the stage says
		case d.Side == route.ToMonolith && stage == route.Done, d.Side == route.ToService && (stage <= route.Monolith || panics && stage != route.Done):
			r.Fatalf("against the stage: %s", what)
		case write && d.Side == route.ToService && stage < route.Live && data != route.DataNone && data != route.DataMoved:
			r.Fatalf("a write that the service does not own: %s", what)
		case d.Copy == route.CopyToMonolith && (write || d.Side != route.ToService || stage != route.Live), d.Copy == route.CopyToService && d.Side != route.ToMonolith:
			r.Fatalf("copy: %s", what)
		case d.NeedsKey && (d.Side != route.ToMonolith || d.NewKey != "" || !stage.IsCanary()):
			r.Fatalf("key: %s", what)
		}
		if d.NeedsKey {
			head.Drawn = keyIn
			if d, _ = route.Decide(table, head); d.NeedsKey || d.NewKey != keyIn {
				r.Fatalf("a drawn key: %+v", d)
			}
		}
	})
}

// A cookie is found where net/http finds it, whatever else stands in the header.
func TestCookiesAreThoseOfNetHTTP(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.StringMatching(`[a-z_-]{1,3}`)
		var pairs []string
		for range rapid.IntRange(0, 5).Draw(r, "cookies") {
			pairs = append(pairs, name.Draw(r, "name")+"="+rapid.StringMatching(`[a-zA-Z0-9=/+.-]{1,6}`).Draw(r, "value"))
		}
		cut := rapid.IntRange(0, len(pairs)).Draw(r, "where a second line begins")
		req := &http.Request{Header: http.Header{"Cookie": {strings.Join(pairs[:cut], "; "), strings.Join(pairs[cut:], "; ")}}}
		wanted := name.Draw(r, "wanted")
		head := route.Head{Header: req.Header}
		got, _, found := route.Sticky{{Cookie: wanted}}.Key(&head)
		want, err := req.Cookie(wanted)
		if found != (err == nil) || found && got != want.Value {
			r.Fatalf("%q in %q: %q %v, net/http says %v %v", wanted, req.Header["Cookie"], got, found, want, err)
		}
	})
}

func TestDecideTakesNoMemory(t *testing.T) {
	for name, c := range map[string]struct {
		stage route.Stage
		head  route.Head
	}{
		"monolith": {route.Monolith, route.Head{}}, "shadow": {route.Shadow, route.Head{}}, "live": {route.Live, route.Head{}}, "done": {route.Done, route.Head{}},
		"canary by cookie":  {route.Canary(50_00), withCookie("a=b; session=1234; _strangler_id=" + keyIn)},
		"canary by session": {route.Canary(50_00), withCookie("a=b; session=1234")},
		"canary by header":  {route.Canary(50_00), route.Head{Header: http.Header{"X-User-Id": {"someone@shop.example"}}}},
		"canary with force": {route.Canary(50_00), route.Head{Header: http.Header{"X-Strangler-Force": {"service:sixteen-and-more"}}}},
		"canary, new key":   {route.Canary(50_00), route.Head{Drawn: keyIn}},
		"canary, cohort":    {route.Canary(50_00), route.Head{Peer: netip.MustParseAddr("10.1.1.1")}},
	} {
		table := single(t, c.stage, func(r *route.Route, p *route.Policy) {
			r.Sticky = route.Sticky{{Header: "X-User-Id"}, {Cookie: "session"}, {}}
			r.Cohorts = []route.Cohort{{Header: route.Condition{Name: "X-Beta", Value: "yes"}}, {Peers: netip.MustParsePrefix("10.0.0.0/8")}}
			p.Force = route.NewForce([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, "sixteen-and-more")
		})
		c.head.Method, c.head.Path = "GET", "/r"
		if n := testing.AllocsPerRun(100, func() { _, _ = route.Decide(table, c.head) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestStripForce(t *testing.T) {
	t.Parallel()
	for cookies, want := range map[string]string{
		"": "", "a=b": "a=b", "a=b;c=d ": "a=b;c=d ", "strangler_force=service:x": "", "a=b; strangler_force=service; c=d": "a=b; c=d",
		"strangler_force=a;strangler_force=b;c=d": "c=d", "xstrangler_force=1": "xstrangler_force=1", "a=strangler_force=1": "a=strangler_force=1",
	} {
		if got := route.StripForce(cookies); got != want {
			t.Errorf("%q: %q, want %q", cookies, got, want)
		}
	}
}

func BenchmarkDecideStage(b *testing.B) {
	for name, stage := range map[string]route.Stage{"live": route.Live, "canary": route.Canary(50_00)} {
		b.Run(name, func(b *testing.B) {
			table, head := single(b, stage, nil), withCookie("a=b; session=1234; _strangler_id="+keyIn)
			head.Method, head.Path = "GET", "/r"
			b.ReportAllocs()
			for b.Loop() {
				_, _ = route.Decide(table, head)
			}
		})
	}
}
