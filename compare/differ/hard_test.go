package differ_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// get and post answer a request with a JSON body.
func get(path, body string) differ.Exchange { return exchange("GET", path, 200, body) }

func post(path, body string) differ.Exchange { return exchange("POST", path, 201, body) }

func exchange(method, path string, status int, body string) differ.Exchange {
	return differ.Exchange{
		Method: method, Path: path, Status: status, Body: []byte(body),
		Header: http.Header{"Content-Type": {"application/json"}},
	}
}

func with(e differ.Exchange, pairs ...string) differ.Exchange {
	e.Header = e.Header.Clone()
	for i := 0; i < len(pairs); i += 2 {
		e.Header.Add(pairs[i], pairs[i+1])
	}
	return e
}

func at(e differ.Exchange, second int) differ.Exchange {
	e.At = time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC)
	return e
}

func typed(body, contentType string) differ.Exchange {
	e := get("/page", body)
	e.Header = http.Header{"Content-Type": {contentType}}
	return e
}

func newDiffer(t testing.TB, rules differ.Rules) *differ.Differ {
	t.Helper()
	d, err := differ.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const (
	u1 = "0b0f5f2e-52c5-4a7e-9c07-1d7b3a5b0001"
	u2 = "6f1a2a76-0c3b-4d39-8a1e-7f3f2b0c0002"
	u3 = "c3d4e5f6-a7b8-4c9d-8e0f-1a2b3c4d0003"
	u4 = "deadbeef-1234-4abc-9def-0123456789ab"
)

// hard is one of the hard problems of comparing two systems. before and after are the
// exchanges of one run; each of noise is a run of BEFORE, compared with before to learn.
type hard struct {
	name   string
	rules  differ.Rules
	noise  [][]differ.Exchange
	before []differ.Exchange
	after  []differ.Exchange
	want   []string // "severity kind part pointer" of each finding
}

func one(e differ.Exchange) []differ.Exchange { return []differ.Exchange{e} }

func TestHardProblems(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(routeCases(), identityCases(), opaqueCases(), noiseCases(), orderCases(), valueCases(), headerCases(), bodyCases()) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDiffer(t, c.rules)
			var noise differ.Noise
			for _, again := range c.noise {
				for i := range again {
					d.Learn(&noise, c.before[i], again[i])
				}
			}
			pairs := make([]differ.Pair, len(c.before))
			for i := range pairs {
				pairs[i] = differ.Pair{Before: c.before[i], After: c.after[i]}
			}
			var got []string
			for _, r := range d.CompareAll(&noise, pairs) {
				for _, f := range r.Findings {
					got = append(got, fmt.Sprintf("%s %s %s %s", f.Severity, f.Kind, f.Part, f.Pointer))
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("findings:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
			}
		})
	}
}

// routeCases: noise gathers by path template (problem 4).
func routeCases() []hard {
	return []hard{
		{
			name:   "noise learned from one path holds for its route",
			noise:  [][]differ.Exchange{{get("/orders/1", `{"at":"2026-01-01T00:00:02Z"}`), get("/orders/2", `{"at":"2026-01-01T00:00:01Z"}`)}},
			before: []differ.Exchange{get("/orders/1", `{"at":"2026-01-01T00:00:01Z"}`), get("/orders/2", `{"at":"2026-01-01T00:00:01Z"}`)},
			after:  []differ.Exchange{get("/orders/1", `{"at":"2026-01-01T00:00:01Z"}`), get("/orders/2", `{"at":"2026-01-01T00:00:09Z"}`)},
		},
		{
			name:   "and not for another route",
			noise:  [][]differ.Exchange{{get("/orders/1", `{"at":"2026-01-01T00:00:02Z"}`), get("/carts/2", `{"at":"2026-01-01T00:00:01Z"}`)}},
			before: []differ.Exchange{get("/orders/1", `{"at":"2026-01-01T00:00:01Z"}`), get("/carts/2", `{"at":"2026-01-01T00:00:01Z"}`)},
			after:  []differ.Exchange{get("/orders/1", `{"at":"2026-01-01T00:00:01Z"}`), get("/carts/2", `{"at":"2026-01-01T00:00:09Z"}`)},
			want:   []string{"breaking value body /at"},
		},
	}
}

// identityCases: numbers and what is derived from them (problems 5 and 6).
func identityCases() []hard {
	order := func(id int, status string) string {
		return fmt.Sprintf(`{"id":%d,"number":"ORD-%06d","link":"/orders/%d","status":%q,"payment":{"order_id":%d}}`, id, id, id, status, id)
	}
	before := []differ.Exchange{
		with(post("/orders", order(1001, "new")), "Location", "/orders/1001"),
		with(post("/orders", order(1002, "new")), "Location", "/orders/1002"),
		get("/orders/1001", order(1001, "paid")),
		get("/orders", `{"items":[`+order(1002, "new")+`,`+order(1001, "paid")+`]}`),
	}
	after := func(third, fourth string) []differ.Exchange {
		return []differ.Exchange{
			with(post("/orders", order(1, "new")), "Location", "/orders/1"),
			with(post("/orders", order(2, "new")), "Location", "/orders/2"),
			get("/orders/1", third),
			get("/orders", fourth),
		}
	}
	list := `{"items":[` + order(2, "new") + `,` + order(1, "paid") + `]}`
	swapped := strings.Replace(list, `"order_id":2`, `"order_id":1`, 1)
	return []hard{
		{name: "own sequence of numbers, with everything derived", before: before, after: after(order(1, "paid"), list)},
		{
			name: "the other order", before: before, after: after(order(2, "paid"), list),
			want: []string{
				"breaking identity body /id", "breaking value body /link", "breaking value body /number", "breaking identity body /payment/order_id",
			},
		},
		{name: "a reference to the other order", before: before, after: after(order(1, "paid"), swapped), want: []string{"breaking identity body /items/0/payment/order_id"}},
		{
			name: "a declared template", rules: differ.Rules{Derived: []string{"ORD-{order}"}}, before: before,
			after: after(strings.Replace(order(1, "paid"), "ORD-000001", "ORD-000002", 1), list),
			want:  []string{"breaking identity body /number"},
		},
	}
}

// opaqueCases: generated identifiers of all kinds (problem 5).
func opaqueCases() []hard {
	cart := func(id, token string) []differ.Exchange {
		return []differ.Exchange{post("/carts", `{"id":"`+id+`","token":"`+token+`"}`), get("/carts/"+id, `{"id":"`+id+`"}`)}
	}
	return []hard{
		{name: "UUIDs", before: cart(u1, u2), after: cart(u3, u4)},
		{
			name: "the wrong UUID", before: slices.Concat(cart(u1, u2), one(get("/me", `{"cart":"`+u1+`"}`))),
			after: slices.Concat(cart(u3, u4), one(get("/me", `{"cart":"`+u4+`"}`))), want: []string{"breaking identity body /cart"},
		},
		{
			name: "one value for two", before: []differ.Exchange{post("/carts", `{"id":"`+u1+`"}`), post("/carts", `{"id":"`+u2+`"}`)},
			after: []differ.Exchange{post("/carts", `{"id":"`+u3+`"}`), post("/carts", `{"id":"`+u3+`"}`)},
			want:  []string{"breaking identity body /id"},
		},
		{
			name: "seed data must be equal", before: []differ.Exchange{get("/products", `{"items":[{"id":7}]}`), post("/carts", `{"product_id":7}`)},
			after: []differ.Exchange{get("/products", `{"items":[{"id":7}]}`), post("/carts", `{"product_id":8}`)},
			want:  []string{"breaking identity body /product_id"},
		},
		{
			name: "the client chose it", before: []differ.Exchange{{Method: "PUT", Path: "/carts/" + u1, Status: 201, Body: []byte(`{"id":"` + u1 + `"}`)}, get("/carts/"+u1, `{"id":"`+u1+`"}`)},
			after: []differ.Exchange{{Method: "PUT", Path: "/carts/" + u2, Status: 201, Body: []byte(`{"id":"` + u2 + `"}`)}, get("/carts/"+u2, `{"id":"`+u2+`"}`)},
		},
		{
			name: "a role is named after what it refers to", before: []differ.Exchange{post("/users", `{"id":11}`), get("/orders/5", `{"buyer_id":11}`)},
			after: []differ.Exchange{post("/users", `{"id":1}`), get("/orders/5", `{"buyer_id":1}`)},
		},
		{
			name: "a namespace by rule", rules: differ.Rules{IDs: []differ.ID{{Scope: differ.Scope{Path: "$.ref"}, Namespace: "user"}}},
			before: []differ.Exchange{post("/users", `{"id":11}`), post("/users", `{"id":12}`), get("/x", `{"ref":11}`)},
			after:  []differ.Exchange{post("/users", `{"id":1}`), post("/users", `{"id":2}`), get("/x", `{"ref":2}`)},
			want:   []string{"breaking identity body /ref"},
		},
		{
			name: "identifiers as names", before: []differ.Exchange{post("/carts", `{"id":"`+u1+`"}`), get("/carts", `{"`+u1+`":{"n":1}}`)},
			after: []differ.Exchange{post("/carts", `{"id":"`+u2+`"}`), get("/carts", `{"`+u2+`":{"n":2}}`)}, want: []string{"breaking value body /" + u1 + "/n"},
		},
		{
			name: "a cursor", before: []differ.Exchange{post("/orders", `{"id":1001}`), get("/orders?limit=1", `{"next":"b3JkZXI6MTAwMQ=="}`)},
			after: []differ.Exchange{post("/orders", `{"id":1}`), get("/orders?limit=1", `{"next":"b3JkZXI6MQ=="}`)},
		},
		{
			name: "the test was led astray", before: []differ.Exchange{post("/orders", `{"id":1001}`), post("/orders", `{"id":1002}`), get("/orders/1002", `{"n":1}`)},
			after: []differ.Exchange{post("/orders", `{"id":1}`), post("/orders", `{"id":2}`), get("/orders/1", `{"n":1}`)}, want: []string{"breaking identity request path/2"},
		},
		{
			name: "Location leads elsewhere", before: []differ.Exchange{post("/orders", `{"id":1001}`), with(post("/orders/1001/copy", `{}`), "Location", "/orders/1001")},
			after: []differ.Exchange{post("/orders", `{"id":1}`), with(post("/orders/1/copy", `{}`), "Location", "/orders/9")}, want: []string{"breaking identity header Location"},
		},
	}
}

// noiseCases: timestamps, random values, chance, shadowed fields (problems 7, 8 and 16).
func noiseCases() []hard {
	body := func(s string) []differ.Exchange { return one(get("/x", s)) }
	noisy := func(name, a1, a2, b string, want ...string) hard {
		return hard{name: "noise: " + name, noise: [][]differ.Exchange{body(a2)}, before: body(a1), after: body(b), want: want}
	}
	skewed := noisy("a time zone away", `{"at":"2026-01-01T00:00:00Z"}`, `{"at":"2026-01-01T00:00:03Z"}`, `{"at":"2026-01-01T01:00:09Z"}`, "breaking value body /at")
	skewed.before[0], skewed.noise[0][0], skewed.after[0] = at(skewed.before[0], 0), at(skewed.noise[0][0], 3), at(skewed.after[0], 9)
	return []hard{
		skewed,
		noisy("a timestamp", `{"at":"2026-01-01T00:00:00Z"}`, `{"at":"2026-01-01T00:00:03Z"}`, `{"at":"2026-01-01T00:01:00Z"}`),
		noisy("became an epoch", `{"at":"2026-01-01T00:00:00Z"}`, `{"at":"2026-01-01T00:00:03Z"}`, `{"at":1767225600}`, "breaking type body /at"),
		noisy("seconds became milliseconds", `{"at":1767225600}`, `{"at":1767225601}`, `{"at":1767225600000}`, "format format body /at"),
		noisy("got milliseconds", `{"at":"2026-01-01T00:00:00Z"}`, `{"at":"2026-01-01T00:00:03Z"}`, `{"at":"2026-01-01T00:00:03.123Z"}`, "format format body /at"),
		noisy("is no timestamp any more", `{"at":"2026-01-01T00:00:00Z"}`, `{"at":"2026-01-01T00:00:03Z"}`, `{"at":"soon"}`, "breaking shape body /at"),
		noisy("is missing", `{"at":"2026-01-01T00:00:00Z"}`, `{"at":"2026-01-01T00:00:03Z"}`, `{}`, "breaking missing body /at"),
		noisy("is null", `{"at":"2026-01-01T00:00:00Z"}`, `{"at":"2026-01-01T00:00:03Z"}`, `{"at":null}`, "breaking type body /at"),
		noisy("a UUID", `{"r":"`+u1+`"}`, `{"r":"`+u2+`"}`, `{"r":"`+u3+`"}`),
		noisy("a UUID of another version", `{"r":"`+u1+`"}`, `{"r":"`+u2+`"}`, `{"r":"c3d4e5f6-a7b8-7c9d-8e0f-1a2b3c4d0003"}`, "format format body /r"),
		noisy("a random boolean", `{"r":true}`, `{"r":false}`, `{"r":true}`),
		noisy("sometimes null", `{"r":null}`, `{"r":"x"}`, `{"r":"y"}`),
		noisy("sometimes absent", `{"a":1}`, `{"a":1,"r":2}`, `{"a":1,"r":3}`),
		noisy("a list that grows", `{"l":[1,2]}`, `{"l":[1,2,3]}`, `{"l":[1,2,3,4]}`),
		noisy("a list that is empty now", `{"l":[1,2]}`, `{"l":[1,2,3]}`, `{"l":[]}`, "breaking missing body /l/0", "breaking missing body /l/1"),
		noisy("gathers over elements", `{"l":[{"b":true},{"b":true}]}`, `{"l":[{"b":true},{"b":false}]}`, `{"l":[{"b":false},{"b":true}]}`),
		noisy("a neighbour still counts", `{"at":"2026-01-01T00:00:00Z","n":1}`, `{"at":"2026-01-01T00:00:03Z","n":1}`, `{"at":"2026-01-01T00:01:00Z","n":2}`, "breaking value body /n"),
		noisy("names", `{"m":{"`+u1+`":{"n":1}}}`, `{"m":{"`+u2+`":{"n":1}}}`, `{"m":{"`+u3+`":{"n":2}}}`, "breaking value body /m/"+u1+"/n"),
		{
			name:  "noise: a header",
			noise: [][]differ.Exchange{one(with(get("/x", `{}`), "Retry-After", "2", "Content-Security-Policy", "nonce-1"))}, before: one(with(get("/x", `{}`), "Retry-After", "1", "Content-Security-Policy", "nonce-1")),
			after: one(with(get("/x", `{}`), "Retry-After", "soon", "Content-Security-Policy", "nonce-2")),
			want:  []string{"breaking value header Content-Security-Policy", "breaking shape header Retry-After"},
		},
		{
			name: "noise: text", noise: [][]differ.Exchange{one(typed("id "+u2+"\nend", "text/plain"))}, before: one(typed("id "+u1+"\nend", "text/plain")),
			after: one(typed("id "+u3+"\nfin", "text/plain")), want: []string{"breaking text body "},
		},
		{
			name: "noise: a token in a form", noise: [][]differ.Exchange{one(typed(`<form><input name=csrf value="aB3dE5fG7hI9"></form>`, "text/html"))},
			before: one(typed(`<form><input name=csrf value="zY3xW5vU7tS9"></form>`, "text/html")), after: one(typed(`<form><input value="qQ1wW2eE3rR4" name="csrf"></form>`, "text/html")),
		},
	}
}

// orderCases: the order of elements and their alignment (problem 9).
func orderCases() []hard {
	body := func(s string) []differ.Exchange { return one(get("/x", s)) }
	list := differ.Scope{Path: "$.l"}
	rows := `{"l":[{"id":1,"n":"a"},{"id":2,"n":"b"},{"id":3,"n":"c"}]}`
	return []hard{
		{name: "order: strict", before: body(`{"l":[1,2,3]}`), after: body(`{"l":[3,1,2]}`), want: []string{"order order body /l"}},
		{name: "order: declared free", rules: differ.Rules{Arrays: []differ.Array{{Scope: list, Unordered: true}}}, before: body(`{"l":[1,2,3]}`), after: body(`{"l":[3,1,2]}`)},
		{name: "order: free, but not the elements", rules: differ.Rules{Arrays: []differ.Array{{Scope: list, Unordered: true}}}, before: body(`{"l":[1,2,3]}`), after: body(`{"l":[3,1,4]}`), want: []string{"breaking value body /l/1"}},
		{name: "order: proved free", noise: [][]differ.Exchange{body(`{"l":[2,1,3]}`)}, before: body(`{"l":[1,2,3]}`), after: body(`{"l":[3,1,2]}`)},
		{name: "order: rows trade places", before: body(rows), after: body(`{"l":[{"id":2,"n":"b"},{"id":1,"n":"x"},{"id":3,"n":"c"}]}`), want: []string{"order order body /l", "breaking value body /l/0/n"}},
		{name: "order: a row is inserted", before: body(rows), after: body(`{"l":[{"id":9,"n":"z"},{"id":1,"n":"a"},{"id":2,"n":"b"},{"id":3,"n":"c"}]}`), want: []string{"breaking added body /l/0"}},
		{name: "order: a lost write", before: body(rows), after: body(`{"l":[{"id":1,"n":"a"},{"id":3,"n":"c"}]}`), want: []string{"breaking missing body /l/1"}},
		{name: "order: a key changes", before: body(rows), after: body(`{"l":[{"id":1,"n":"a"},{"id":8,"n":"b"},{"id":3,"n":"c"}]}`), want: []string{"breaking identity body /l/1/id"}},
		{name: "order: a scalar is inserted", before: body(`{"l":["a","b","c"]}`), after: body(`{"l":["a","x","b","c"]}`), want: []string{"breaking added body /l/1"}},
		{
			name: "order: a declared key", rules: differ.Rules{Arrays: []differ.Array{{Scope: list, Key: "day"}}}, before: body(`{"l":[{"day":1,"n":1},{"day":2,"n":1}]}`),
			after: body(`{"l":[{"day":2,"n":1},{"day":3,"n":1}]}`), want: []string{"breaking missing body /l/0", "breaking added body /l/1"},
		},
		{
			name: "order: a key that identifies nothing", rules: differ.Rules{Arrays: []differ.Array{{Scope: list, Key: "day"}}}, before: body(`{"l":[{"day":1,"n":1},{"day":1,"n":2}]}`),
			after: body(`{"l":[{"day":1,"n":1},{"day":1,"n":2},{"day":1,"n":3}]}`), want: []string{"breaking added body /l/2"},
		},
	}
}

// valueCases: exact values (problem 10) and accepted differences (19).
func valueCases() []hard {
	body := func(s string) []differ.Exchange { return one(get("/x", s)) }
	plain := func(name, a, b string, want ...string) hard {
		return hard{name: "value: " + name, before: body(a), after: body(b), want: want}
	}
	ruled := func(name string, rules differ.Rules, a, b string, want ...string) hard {
		return hard{name: "rule: " + name, rules: rules, before: body(a), after: body(b), want: want}
	}
	n := differ.Scope{Path: "$.n"}
	return []hard{
		plain("key order and white space", `{"a":1,"b":[true,null]}`, "{ \"b\" : [ true,\nnull ], \"a\" : 1 }"),
		plain("1 and 1.0", `{"n":1}`, `{"n":1.0}`, "format format body /n"),
		plain("100 and 1e2", `{"n":100}`, `{"n":1e2}`, "format format body /n"),
		plain("beyond a float", `{"n":9007199254740993}`, `{"n":9007199254740992}`, "breaking value body /n"),
		plain("a digit far behind", `{"n":0.10000000000000000001}`, `{"n":0.1}`, "breaking value body /n"),
		plain("an endless exponent", `{"n":1e999999999}`, `{"n":1e999999998}`, "breaking value body /n"),
		plain("text became a number", `{"n":"1.00"}`, `{"n":1}`, "breaking type body /n"),
		plain("absent is not null", `{"n":null}`, `{}`, "breaking missing body /n"),
		plain("a new field", `{}`, `{"n":null}`, "additive added body /n"),
		plain("null is no object", `{"n":{}}`, `{"n":null}`, "breaking type body /n"),
		plain("an object is no array", `{"n":{}}`, `{"n":[]}`, "breaking type body /n"),
		plain("escapes", `{"n":"\u00e9\/\ud83d\ude00"}`, `{"n":"é/😀"}`),
		plain("lone surrogates", `{"n":"\ud800"}`, `{"n":"\ufffd"}`, "breaking value body /n"),
		plain("duplicate keys", `{"n":1,"n":2}`, `{"n":1}`, "breaking duplicate-key body /n"),
		plain("the same duplicate keys", `{"n":1,"n":2}`, `{"n":1,"n":2}`),
		plain("one instant, two offsets", `{"t":"2026-01-01T12:00:00Z"}`, `{"t":"2026-01-01T13:00:00+01:00"}`, "format format body /t"),
		plain("one UUID, two cases", `{"t":"`+u1+`"}`, `{"t":"`+strings.ToUpper(u1)+`"}`, "format format body /t"),
		ruled("ignore", differ.Rules{Ignore: []differ.Ignore{{Scope: differ.Scope{Path: "$..n"}}}}, `{"a":{"n":1},"b":1}`, `{"a":{},"b":2}`, "breaking value body /b"),
		ruled("ignore on another route", differ.Rules{Ignore: []differ.Ignore{{Scope: differ.Scope{Path: "$.n", Route: "POST *"}}}}, `{"n":1}`, `{"n":2}`, "breaking value body /n"),
		ruled("relax", differ.Rules{Relax: []differ.Relax{{Scope: n, Kind: "integer"}}}, `{"n":1}`, `{"n":2}`),
		ruled("relax keeps the kind", differ.Rules{Relax: []differ.Relax{{Scope: n, Kind: "integer"}}}, `{"n":1}`, `{"n":1.5}`, "breaking shape body /n"),
		ruled("relax keeps the place", differ.Rules{Relax: []differ.Relax{{Scope: n, Kind: "any"}}}, `{"n":1}`, `{}`, "breaking missing body /n"),
		ruled("tolerance", differ.Rules{Tolerances: []differ.Tolerance{{Scope: n, Absolute: "0.01"}}}, `{"n":0.10}`, `{"n":0.11}`),
		ruled("beyond the tolerance", differ.Rules{Tolerances: []differ.Tolerance{{Scope: n, Absolute: "0.01"}}}, `{"n":0.10}`, `{"n":0.1100001}`, "breaking value body /n"),
		ruled("a relative tolerance", differ.Rules{Tolerances: []differ.Tolerance{{Scope: n, Relative: "0.1"}}}, `{"n":-100}`, `{"n":-91}`),
		{name: "value: status", before: one(exchange("GET", "/x", 200, `{"n":1}`)), after: one(exchange("GET", "/x", 500, `{"error":"no"}`)), want: []string{"breaking status status "}},
		{name: "value: status of the same class", before: one(exchange("GET", "/x", 200, `{"n":1}`)), after: one(exchange("GET", "/x", 201, `{"n":2}`)), want: []string{"breaking status status ", "breaking value body /n"}},
	}
}

// headerCases: the header policy (problems 11 and 14).
func headerCases() []hard {
	head := func(name string, before, after []string, want ...string) hard {
		return hard{name: "header: " + name, before: one(with(get("/x", `{}`), before...)), after: one(with(get("/x", `{}`), after...)), want: want}
	}
	origins := head("origins", []string{"Location", "http://old:9000/a"}, []string{"Location", "http://new:9001/a"})
	origins.rules = differ.Rules{BeforeOrigins: []string{"http://old:9000"}, AfterOrigins: []string{"http://new:9001"}}
	origins.before[0].Body, origins.after[0].Body = []byte(`{"u":"see http://old:9000/x"}`), []byte(`{"u":"see http://new:9001/x"}`)
	others := head("all others", []string{"X-Flavour", "a"}, []string{"X-Flavour", "b"}, "breaking value header X-Flavour")
	others.rules = differ.Rules{OtherHeaders: differ.HeaderExact}
	return []hard{
		origins, others,
		head("ignored", []string{"Date", "a", "X-Request-Id", "1", "Content-Length", "2"}, []string{"Server", "b"}),
		head("lists", []string{"Allow", "GET, POST", "Vary", "Accept"}, []string{"Allow", "POST", "Allow", "GET", "Vary", "accept"}),
		head("lost", []string{"X-Frame-Options", "DENY"}, nil, "breaking missing header X-Frame-Options"),
		head("gained", nil, []string{"Cache-Control", "no-store"}, "additive added header Cache-Control"),
		head("changed", []string{"Cache-Control", "no-store"}, []string{"Cache-Control", "private"}, "breaking value header Cache-Control"),
		head("presence of an ETag", []string{"Etag", `"1"`}, []string{"Etag", `"2"`}),
		head("an ETag lost", []string{"Etag", `"1"`}, nil, "breaking missing header Etag"),
		head("cookies", []string{"Set-Cookie", "s=1; Path=/; HttpOnly"}, []string{"Set-Cookie", "s=2; HttpOnly; Path=/"}),
		head("a cookie without HttpOnly", []string{"Set-Cookie", "s=1; Path=/; HttpOnly"}, []string{"Set-Cookie", "s=2; Path=/"}, "breaking cookie header Set-Cookie: s"),
		head("the proxy's own cookie", nil, []string{"Set-Cookie", "_strangler_id=00; Path=/; HttpOnly"}),
		head("a cookie lost", []string{"Set-Cookie", "s=1", "Set-Cookie", "t=1"}, []string{"Set-Cookie", "s=1"}, "breaking missing header Set-Cookie: t"),
		{name: "header: media type", before: one(typed("{}", "application/json; charset=UTF-8")), after: one(typed("{}", "Application/JSON;charset=utf-8"))},
		{name: "header: another media type", before: one(typed("{}", "application/json")), after: one(typed("{}", "text/plain")), want: []string{"breaking value header Content-Type"}},
	}
}

// bodyCases: bodies that are no JSON.
func bodyCases() []hard {
	body := func(name, contentType, a, b string, want ...string) hard {
		return hard{name: "body: " + name, before: one(typed(a, contentType)), after: one(typed(b, contentType)), want: want}
	}
	return []hard{
		body("malformed", "application/json", `{"a":1}`, `{"a":1`, "breaking malformed body "),
		body("invalid UTF-8", "application/json", `{"a":"x"}`, "{\"a\":\"\xff\"}", "breaking malformed body "),
		body("both malformed and equal", "application/json", `{"a":`, `{"a":`),
		body("empty", "application/json", `{"a":1}`, ``, "breaking missing body "),
		body("lines of JSON", "application/x-ndjson", "{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n\n{\"a\":3}", "breaking value body /1/a"),
		body("no content type", "", `{"a":1}`, `{ "a":2}`, "breaking value body /a"),
		body("text", "text/plain", "a\nb\nc\n", "a\nx\nc\n", "breaking text body "),
		body("line ends", "text/plain", "a\nb\n", "a\r\nb\r\n", "format format body "),
		body("binary", "image/png", "\x89PNG\x00", "\x89PNG\x01", "breaking binary body "),
		body("HTML that means the same", "text/html", `<p class="a b" id=x>Hi <b>you</b></p>`, "<p id='x'  class='b a'>\n Hi<!-- c --> <b>you</b> </p>"),
		body("HTML text", "text/html", `<h1>Tea</h1><p>1</p>`, `<h1>Tea</h1><p>2</p>`, "breaking value body /p/#text"),
		body("an HTML attribute", "text/html", `<a href=/a>x</a>`, `<a href=/b>x</a>`, "breaking value body /a/@href"),
		body("an HTML element lost", "text/html", `<ul><li>a</li><li>b</li></ul>`, `<ul><li>a</li></ul>`, "breaking missing body /ul/li", "breaking missing body /ul/li/#text"),
	}
}
