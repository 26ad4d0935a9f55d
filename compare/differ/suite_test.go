package differ_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// A shop answers a fixed suite of requests; what it makes up (UUIDs, times, a shuffled
// list, order numbers) comes from its seed.
type shop struct {
	r         *rand.Rand
	now       time.Time
	nextOrder int
	suite     []differ.Exchange
}

func (s *shop) uuid() string {
	a, b := s.r.Uint64(), s.r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>52, b&0xffffffffffff)
}

func (s *shop) time() string {
	s.now = s.now.Add(time.Duration(1+s.r.IntN(900)) * time.Millisecond)
	return s.now.Format("2006-01-02T15:04:05.000Z")
}

func (s *shop) answer(method, path string, status int, header http.Header, body string) {
	header.Set("Content-Type", "application/json")
	header.Set("X-Request-Id", s.uuid())
	s.suite = append(s.suite, differ.Exchange{Method: method, Path: path, Status: status, Header: header, Body: []byte(body), At: s.now})
}

// play runs the suite against a shop whose first order gets the number first.
func play(seed uint64, first int) []differ.Exchange {
	s := &shop{r: rand.New(rand.NewPCG(seed, 0)), nextOrder: first}
	s.now = time.Date(2026, 1, 1+s.r.IntN(20), 0, 0, 0, 0, time.UTC)
	var orders [3][]string
	for _, user := range []int{1, 2, 1} {
		s.answer("POST", "/login", 200, http.Header{"Set-Cookie": {"session=" + s.uuid() + "; HttpOnly; Path=/"}},
			fmt.Sprintf(`{"token":%q,"user":{"id":%d,"email":"u%d@x.io"},"expires_at":%q}`, s.uuid(), user, user, s.time()))
		products := ""
		for i := range 6 {
			products += fmt.Sprintf(`,{"id":%d,"sku":"SKU-%d","name":"P%d","price_cents":%d,"stock":%d,"category_id":%d,"active":%v}`, i+1, i+1, i, 100*i+99, 5+i, 1+i%3, i%2 == 0)
		}
		s.answer("GET", "/products", 200, http.Header{}, `{"items":[`+products[1:]+`],"total":6,"page":1}`)
		likes := []string{`{"product_id":2,"reason":"also bought"}`, `{"product_id":3,"reason":"also bought"}`, `{"product_id":5,"reason":"also seen"}`}
		s.r.Shuffle(3, func(i, j int) { likes[i], likes[j] = likes[j], likes[i] })
		s.answer("GET", "/products/1/recommendations", 200, http.Header{}, `{"items":[`+strings.Join(likes, ",")+`]}`)
		cart := s.uuid()
		s.answer("POST", "/carts", 201, http.Header{"Location": {"/carts/" + cart}}, fmt.Sprintf(`{"id":%q,"items":[],"total_cents":0,"created_at":%q}`, cart, s.time()))
		s.answer("POST", "/carts/"+cart+"/items", 200, http.Header{}, fmt.Sprintf(`{"id":%q,"items":[{"product_id":%d,"qty":2,"unit_cents":99}],"total_cents":198}`, cart, user))
		id := s.nextOrder
		s.nextOrder++
		order := fmt.Sprintf(`{"id":%d,"number":"ORD-%06d","user_id":%d,"status":"paid","lines":[{"product_id":%d,"qty":2,"unit_cents":99}],"total_cents":238,"payment":{"id":%q,"order_id":%d,"status":"captured"},"placed_at":%q}`,
			id, id, user, user, s.uuid(), id, s.time())
		orders[user] = append([]string{order}, orders[user]...)
		s.answer("POST", "/checkout", 201, http.Header{"Location": {fmt.Sprintf("/orders/%d", id)}}, order)
		s.answer("GET", fmt.Sprintf("/orders/%d", id), 200, http.Header{}, order)
		s.answer("GET", fmt.Sprintf("/users/%d/orders", user), 200, http.Header{}, `{"items":[`+strings.Join(orders[user], ",")+`]}`)
	}
	s.answer("GET", "/products/999", 404, http.Header{}, `{"error":"not found","request_id":"`+s.uuid()+`"}`)
	return s.suite
}

// shopRules say what the place of an id does not: POST /checkout makes an order.
var shopRules = differ.Rules{
	IDs:     []differ.ID{{Scope: differ.Scope{Path: "$.id", Route: "POST /checkout"}, Namespace: "order"}},
	Derived: []string{"ORD-{order}"},
}

func pairsOf(before, after []differ.Exchange) []differ.Pair {
	pairs := make([]differ.Pair, len(before))
	for i := range pairs {
		pairs[i] = differ.Pair{Before: before[i], After: after[i]}
	}
	return pairs
}

func findings(d *differ.Differ, noise *differ.Noise, before, after []differ.Exchange) (all []differ.Finding) {
	for _, r := range d.CompareAll(noise, pairsOf(before, after)) {
		all = append(all, r.Findings...)
	}
	return all
}

// TestSuite is the self-test of the method: an AFTER that generates everything anew gives no
// finding, and of single changes in it nearly all are found, in noisy places, too.
func TestSuite(t *testing.T) {
	t.Parallel()
	for _, first := range []int{1001, 1} {
		t.Run(fmt.Sprintf("orders from %d", first), func(t *testing.T) {
			t.Parallel()
			d := newDiffer(t, shopRules)
			var noise differ.Noise
			before, again, after := play(1, 1001), play(2, 1001), play(3, first)
			for i := range before {
				d.Learn(&noise, before[i], again[i])
			}
			if got := findings(d, &noise, before, after); len(got) > 0 {
				t.Fatalf("a clean AFTER: %v", got)
			}
			tried, found := mutateSuite(t, d, &noise, before, after)
			t.Logf("%d of %d mutations found", found, tried)
			if tried < 250 || found*100 < tried*99 {
				t.Errorf("%d of %d mutations found, want 99 %% of at least 250", found, tried)
			}
		})
	}
}

func mutateSuite(t *testing.T, d *differ.Differ, noise *differ.Noise, before, after []differ.Exchange) (tried, found int) {
	t.Helper()
	mutants := map[string]func(spot) bool{"another row": anotherRow(t, after)}
	for _, name := range []string{"drop", "null", "retype", "off by one", "other text", "flip"} {
		mutants[name] = mutations[name]
	}
	for i, e := range after {
		for at := range spots(decode(t, string(e.Body)), nil) {
			if at%4 != i%4 {
				continue // a quarter of them is enough, and takes a quarter of the time
			}
			for name, mutate := range mutants {
				root := decode(t, string(e.Body))
				s := spots(root, nil)[at]
				if !mutate(s) || encode(t, root) == encode(t, decode(t, string(e.Body))) {
					continue
				}
				after[i].Body = []byte(encode(t, root))
				tried++
				if len(findings(d, noise, before, after)) > 0 {
					found++
				} else {
					t.Logf("blind to %s at %v in %s %s", name, s.get, e.Method, e.Path)
				}
			}
		}
		after[i] = e
	}
	return tried, found
}

// anotherRow returns a mutation that puts the identifier of another order or cart.
func anotherRow(t *testing.T, suite []differ.Exchange) func(spot) bool {
	t.Helper()
	var ids []any
	for _, e := range suite {
		if e.Method == "POST" && (e.Path == "/carts" || e.Path == "/checkout") {
			ids = append(ids, decode(t, string(e.Body)).(map[string]any)["id"])
		}
	}
	return func(s spot) bool {
		for i, id := range ids {
			if id == s.get {
				s.set(ids[(i+2)%len(ids)])
				return true
			}
		}
		return false
	}
}

func TestNoiseTellsWhatItSaw(t *testing.T) {
	t.Parallel()
	d := newDiffer(t, differ.Rules{})
	var noise differ.Noise
	for i, b := range []string{`{"flag":true,"n":1}`, `{"flag":false,"n":1}`, `{"flag":true,"n":1}`} {
		d.Learn(&noise, get("/x", `{"flag":true,"n":1}`), get("/x", b))
		if got := d.Compare(&noise, differ.Pair{Before: get("/x", `{"n":1}`), After: get("/x", `{"n":2}`)}); i == 2 {
			if f := got.Findings; len(f) != 1 || f[0].Samples != 3 || f[0].Varied != 0 || strings.Contains(f[0].Explanation, "too few") {
				t.Errorf("evidence after three samples: %+v", f)
			}
		} else if f := got.Findings; len(f) != 1 || !strings.Contains(f[0].Explanation, "too few") {
			t.Errorf("evidence after %d samples: %+v", i+1, f)
		}
	}
	got, err := json.Marshal(noise.Classes())
	if err != nil {
		t.Fatal(err)
	}
	if want := `[{"route":"GET /x","part":"body","class":"/flag","samples":3,"varied":1,"shapes":["boolean"]}]`; string(got) != want {
		t.Errorf("classes:\n%s\nwant:\n%s", got, want)
	}
	accepted := d.Compare(&noise, differ.Pair{Before: get("/x", `{"flag":true}`), After: get("/x", `{"flag":false}`)})
	if len(accepted.Findings) != 0 || len(accepted.Relaxed) != 1 || accepted.Relaxed[0].Why != "BEFORE differed from itself here in 1 of 3 samples" {
		t.Errorf("relaxed: %+v", accepted)
	}
	if accepted.Leaves == 0 {
		t.Error("no leaves counted")
	}
}
