package discover_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/discover"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const day = 24 * time.Hour

// observe shows the requests to a new Observer, slowly enough for its ring.
func observe(requests ...string) *discover.Observer {
	o := discover.NewObserver(nil)
	for i, request := range requests {
		method, path, _ := strings.Cut(request, " ")
		o.Observe(method, path, 200, time.Millisecond)
		if i%1000 == 999 {
			o.Findings(day) // takes in what waits
		}
	}
	return o
}

func templates(o *discover.Observer) []string {
	var all []string
	for _, e := range o.Findings(day).Endpoints {
		all = append(all, fmt.Sprintf("%s %d", e.Match(), e.Requests))
	}
	return all
}

func p95(e discover.Endpoint) time.Duration { return time.Duration(e.P95) }

func many(format string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(format, i+1))
	}
	return all
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		requests []string
		want     []string
	}{
		"ten thousand ids": {many("GET /users/%d", 10_000), []string{"GET /users/{id} 10000"}},
		"a single id":      {[]string{"GET /users/7"}, []string{"GET /users/{id} 1"}},
		"names beside ids": {
			append(many("GET /users/%d", 50), "GET /users/me", "GET /users/search", "POST /users"),
			[]string{"GET /users/{id} 50", "POST /users 1", "GET /users/me 1", "GET /users/search 1"},
		},
		"by method": {
			[]string{"GET /a/1", "GET /a/2", "DELETE /a/3", "HEAD /a/4", "PUT /a/4", "PATCH /a/5", "OPTIONS /a/6"},
			[]string{"GET /a/{id} 3", "DELETE /a/{id} 1", "OPTIONS /a/{id} 1", "PATCH /a/{id} 1", "PUT /a/{id} 1"},
		},
		"kinds of ids": {
			[]string{
				"GET /x/3fa85f64-5717-4562-b3fc-2c963f66afa6", "GET /x/5f4dcc3b5aa765d61d8327deb882cf99", "GET /x/9f3c1ab",
				"GET /x/cus_9s6XKzkNRiz8i3", "GET /x/01ARZ3NDEKTSV4RRFFQ69G5FAV", "GET /x/dGhpcyBpcyBhIHRva2Vu4711Zz0",
				"GET /x/-7", "GET /x/1,2,3", "GET /x/42.json", "GET /x/" + strings.Repeat("long", 20), "GET /x/%ff%fe",
			},
			[]string{"GET /x/{id} 11"},
		},
		"dates": {[]string{"GET /day/2024-01-31", "GET /day/2024-02", "GET /day/2024-01-31T10:00:00Z"}, []string{"GET /day/{date} 3"}},
		"names of endpoints": {
			[]string{"GET /api/v2/orders", "GET /oauth2/token", "GET /forgot-password", "GET /.well-known/security.txt", "GET /health_check", "GET /cafe"},
			[]string{"GET /.well-known/security.txt 1", "GET /api/v2/orders 1", "GET /cafe 1", "GET /forgot-password 1", "GET /health_check 1", "GET /oauth2/token 1"},
		},
		"many slugs": {
			append(many("GET /products/red-shoes-%d", 300), "GET /products/search", "GET /products"),
			[]string{"GET /products/{slug} 300", "GET /products 1", "GET /products/search 1"},
		},
		"few slugs": {many("GET /pages/about-us-%d", 2), []string{"GET /pages/about-us-1 1", "GET /pages/about-us-2 1"}},
		"many names": {
			func() (all []string) {
				for a := 'a'; a <= 'z'; a++ {
					for b := 'a'; b <= 'z'; b++ {
						all = append(all, fmt.Sprintf("GET /u/%c%c/posts/%d", a, b, a))
					}
				}
				return all
			}(), []string{"GET /u/{slug}/posts/{id} 676"},
		},
		"below placeholders": {
			[]string{"GET /users/1/orders/7/items", "GET /users/2/orders/8/items", "GET /users/2/orders/2024-01-01"},
			[]string{"GET /users/{id}/orders/{id2}/items 2", "GET /users/{id}/orders/{id2} 1"},
		},
		"slashes at the end": {[]string{"GET /a/", "GET /a", "GET /a/1/", "GET /"}, []string{"GET / 1", "GET /a 1", "GET /a/ 1", "GET /a/{id}/ 1"}},
		"files of pages": {
			[]string{"GET /static/app.9f3c.js", "GET /static/site.css", "GET /static/img/a/logo.svg", "GET /favicon.ico", "GET /orders/7/photo.png"},
			[]string{"GET /static/** 3", "GET /favicon.ico 1", "GET /orders/{id}/photo.png 1"},
		},
		"encoded": {
			[]string{"GET /caf%C3%A9/menu", "GET /caf%c3%a9/menu", "GET /a%20b", "GET /%7Bx%7D", "GET /%2A%2A", "GET /%75sers/1", "GET /users/2"},
			[]string{"GET /caf%C3%A9/menu 2", "GET /users/{id} 2", "GET /%2A%2A 1", "GET /%7Bx%7D 1", "GET /a%20b 1"},
		},
		"very deep": {many("GET /a/b/c/d/e/f/g/h/i/j/k/l/m/%d", 3), []string{"GET /a/b/c/d/e/f/g/h/i/j/k/l/** 3"}},
		"what no template describes": {
			[]string{"GET /a//b", "GET /a/../b", "GET /a%2fb", "GET /a%00", "GET /%zz", "GET a", "GET ", "PROPFIND /a", "GET /" + strings.Repeat("x/", 200), "GET /ok"},
			[]string{"GET /ok 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := observe(test.requests...)
			if got := templates(o); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
			total := o.Findings(day).Other
			for _, e := range o.Findings(day).Endpoints {
				total += e.Requests
			}
			if total != uint64(len(test.requests)) {
				t.Errorf("%d requests are accounted for, of %d", total, len(test.requests))
			}
		})
	}
}

// What is not there does not become an endpoint; what is there is counted with its errors.
func TestOnlyProvenEndpoints(t *testing.T) {
	t.Parallel()
	o := discover.NewObserver(nil)
	for i := range 3000 {
		o.Observe("GET", fmt.Sprintf("/wp-%c%c/%d", 'a'+i%26, 'a'+i/26%26, i), 404, time.Millisecond)
	}
	for range 18 {
		o.Observe("GET", "/orders/1", 200, 10*time.Millisecond)
	}
	o.Observe("GET", "/orders/2", 500, 10*time.Millisecond)
	o.Observe("GET", "/orders/3", 404, 10*time.Millisecond)
	o.Observe("DELETE", "/orders/3", 405, time.Millisecond)
	o.Observe("GET", "/gone", 502, time.Millisecond)
	f := o.Findings(day)
	if len(f.Endpoints) != 1 || f.Unknown != 3002 {
		t.Fatalf("%+v", f)
	}
	e := f.Endpoints[0]
	if e.Match() != "GET /orders/{id}" || e.Requests != 20 || e.Errors != 1 || e.ClientErrors != 1 || e.ErrorRate != 0.05 {
		t.Errorf("%+v", e)
	}
	if p95(e) < 7*time.Millisecond || p95(e) > 15*time.Millisecond {
		t.Errorf("p95 is %v, want about 10ms", p95(e))
	}
}

func TestP95(t *testing.T) {
	t.Parallel()
	for _, slow := range []time.Duration{0, 300 * time.Microsecond, 40 * time.Millisecond, 3 * time.Second, time.Hour} {
		o := discover.NewObserver(nil)
		for i := range 1000 {
			took := time.Millisecond
			if i%10 == 0 {
				took = slow
			}
			o.Observe("GET", "/a", 200, took)
		}
		got := p95(o.Findings(day).Endpoints[0])
		want := min(max(slow, time.Millisecond), 12*time.Second)
		if got < want*7/10 || got > want*15/10 {
			t.Errorf("one in ten takes %v: p95 %v", slow, got)
		}
	}
}

func TestDurationsThatSayNothing(t *testing.T) {
	t.Parallel()
	o := discover.NewObserver(nil)
	for range 10 {
		o.Observe("GET", "/socket", 101, -1)
	}
	o.Observe("GET", "/socket", 200, 10*time.Millisecond)
	if e := o.Findings(day).Endpoints[0]; e.Requests != 11 || p95(e) < 7*time.Millisecond || p95(e) > 15*time.Millisecond {
		t.Errorf("%+v", e)
	}
}

var segments = []string{
	"users", "orders", "me", "search", "1", "2", "42", "2024-01-01", "2024-02", "red-shoes-1", "blue-hat-2", "a.css", "app.9f3c.js",
	"", "x-y-z", "%C3%A9", "3fa85f64-5717-4562-b3fc-2c963f66afa6", "v1", "list.json", "jane@example.com",
}

// The same requests in another order, or learned by two proxies that add up what they
// know, give the same endpoints with the same figures.
func TestOrderMakesNoDifference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		segment := rapid.OneOf(
			rapid.SampledFrom(segments),
			rapid.StringMatching(`[a-c][a-c]?-[a-e]-[a-e]`), // more slugs than one place may have
			rapid.StringMatching(`[a-e][a-e][a-e]`),         // more names
		)
		requests := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) string {
			path := strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(rt, "path"), "/")
			return rapid.SampledFrom([]string{"GET", "POST"}).Draw(rt, "method") + " /" + rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "first") + "/" + path
		}), 0, 400).Draw(rt, "requests")
		want := templates(observe(requests...))
		seed := rapid.Uint64().Draw(rt, "seed")
		shuffled := slices.Clone(requests)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := templates(observe(shuffled...)); !slices.Equal(got, want) {
			rt.Fatalf("in another order:\n%q\nwant\n%q", got, want)
		}
	})
}

// Every template can be the match of a route, and matches its example; no two of them
// match the same.
func TestTemplatesAreMatches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		o := discover.NewObserver(nil)
		for _, s := range rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 20), 1, 30).Draw(rt, "paths") {
			o.Observe("GET", "/"+string(s), 200, 0)
		}
		for _, s := range rapid.SliceOfN(rapid.StringMatching(`(/[a-z0-9%{}*.;=&+é_-]{0,6}){1,5}`), 1, 30).Draw(rt, "texts") {
			o.Observe("GET", s, 200, 0)
		}
		var routes []route.Route
		for i, e := range o.Findings(day).Endpoints {
			match, err := route.ParseTemplate(e.Match())
			if err != nil {
				rt.Fatalf("%q: %v", e.Match(), err)
			}
			routes = append(routes, route.Route{Name: fmt.Sprint(i), Match: match})
		}
		table, err := route.Build(routes)
		if err != nil {
			rt.Fatal(err)
		}
		for i, e := range o.Findings(day).Endpoints {
			d, err := route.Decide(table, route.Head{Method: e.Method, Path: e.Example()})
			if err != nil || d.Route == nil || d.Route.Name != fmt.Sprint(i) {
				rt.Fatalf("%q does not match its example %q: %v %v", e.Match(), e.Example(), d.Route, err)
			}
		}
	})
}

// Whatever is sent, memory is bounded and the known endpoints stay.
func TestHostileTraffic(t *testing.T) {
	t.Parallel()
	const n = 60_000
	o := discover.NewObserver(nil)
	o.Observe("GET", "/orders/1", 200, 0)
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		b := make([]byte, 1+random.IntN(12))
		for i := range b {
			b[i] = byte('a' + random.IntN(26))
			if random.IntN(40) == 0 {
				b[i] = byte(random.IntN(256))
			}
		}
		return string(b)
	}
	for i := range n {
		path := "/" + text()
		for range random.IntN(8) {
			path += "/" + text()
		}
		if i%3000 == 0 {
			path += strings.Repeat("x", 100_000)
			o.Findings(day)
		}
		o.Observe("GET", path, 200, 0)
	}
	o.Observe("GET", "/orders/2", 200, 0)
	f := o.Findings(day)
	if len(f.Endpoints) > 1000 {
		t.Errorf("%d endpoints", len(f.Endpoints))
	}
	total := f.Other + f.Dropped
	orders := uint64(0)
	for _, e := range f.Endpoints {
		total += e.Requests
		if e.Match() == "GET /orders/{id}" {
			orders = e.Requests
		}
	}
	if total != uint64(n+2) || orders != 2 {
		t.Errorf("%d of %d requests are accounted for; /orders/{id} has %d", total, n+2, orders)
	}
}

// While Run sorts, many goroutines observe, and every request is counted once.
func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	o := discover.NewObserver(nil)
	ctx, cancel := context.WithCancel(t.Context())
	var running, writing sync.WaitGroup
	running.Go(func() { o.Run(ctx) })
	for g := range 8 {
		writing.Go(func() {
			for i := range 20_000 {
				o.Observe("GET", fmt.Sprintf("/g%c/%d", 'a'+g, i), 200, time.Millisecond)
			}
		})
	}
	writing.Wait()
	cancel()
	running.Wait()
	f := o.Findings(day)
	total := f.Dropped
	for _, e := range f.Endpoints {
		total += e.Requests
	}
	if total != 160_000 || f.Dropped == 160_000 {
		t.Errorf("%d requests of 160000, %d endpoints", total, len(f.Endpoints))
	}
}

func BenchmarkObserve(b *testing.B) {
	paths := make([]string, 512)
	for i := range paths {
		paths[i] = fmt.Sprintf("/users/%d/orders", i)
	}
	for _, parallel := range []bool{false, true} {
		b.Run(fmt.Sprintf("parallel=%v", parallel), func(b *testing.B) {
			o := discover.NewObserver(nil)
			ctx, cancel := context.WithCancel(b.Context())
			var running sync.WaitGroup
			running.Go(func() { o.Run(ctx) })
			b.ReportAllocs()
			if parallel {
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						o.Observe("GET", paths[i%512], 200, time.Millisecond)
					}
				})
			} else {
				for i := 0; b.Loop(); i++ {
					o.Observe("GET", paths[i%512], 200, time.Millisecond)
				}
			}
			b.ReportMetric(float64(o.Dropped())/float64(b.N), "dropped/op")
			cancel()
			running.Wait()
		})
	}
}

// BenchmarkObserveAndSort is the whole cost of a request: handing it over and sorting it.
func BenchmarkObserveAndSort(b *testing.B) {
	paths := make([]string, 512)
	for i := range paths {
		paths[i] = fmt.Sprintf("/users/%d/orders", i)
	}
	o := discover.NewObserver(nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		o.Observe("GET", paths[i%512], 200, time.Millisecond)
		if i%4000 == 0 {
			o.Findings(day)
		}
	}
	if o.Dropped() > 0 {
		b.Errorf("%d requests were dropped", o.Dropped())
	}
}
