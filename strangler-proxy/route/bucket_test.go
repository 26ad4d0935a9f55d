package route_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stranglerfig/toolkit/strangler-proxy/route"
)

var update = flag.Bool("update", false, "rewrite the bucket vectors")

// A vector is a line of testdata/bucket-vectors.json, by which other languages can
// prove that they deal clients into the same buckets.
type vector struct {
	Salt   string `json:"salt"`
	Key    string `json:"key"`
	Bucket int    `json:"bucket"`
}

type vectors struct {
	Algorithm string   `json:"algorithm"`
	Buckets   int      `json:"buckets"`
	Vectors   []vector `json:"vectors"`
}

// The vectors are a promise to clients of every version: a change of Bucket moves
// people between sides. -update is for new lines, never for other numbers.
func TestBucketVectors(t *testing.T) {
	t.Parallel()
	const file = "testdata/bucket-vectors.json"
	if *update {
		writeVectors(t, file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all vectors
	if err := json.Unmarshal(text, &all); err != nil || len(all.Vectors) < 50 || all.Buckets != route.Buckets {
		t.Fatalf("%v: %d vectors", err, len(all.Vectors))
	}
	for _, v := range all.Vectors {
		if got := route.Bucket(v.Salt, v.Key); got != v.Bucket {
			t.Errorf("%q %q: bucket %d, was %d", v.Salt, v.Key, got, v.Bucket)
		}
	}
	// These stand on the page about the file, made with sha256sum.
	for key, want := range map[string]int{"alice": 7123, "bob": 7379} {
		if got := route.Bucket("checkout", key); got != want {
			t.Errorf("checkout %s: %d, the page says %d", key, got, want)
		}
	}
}

func writeVectors(t *testing.T, file string) {
	t.Helper()
	all := vectors{Algorithm: "the first 4 bytes of SHA-256(salt, 0x00, key), big-endian, modulo buckets", Buckets: route.Buckets}
	for _, salt := range []string{"checkout", "product-recommendations", "a"} {
		for _, key := range []string{"", "alice", "bob", "42", "0123456789abcdef0123456789abcdef", "Ärger", "日本語", "a b;c=d", strings.Repeat("long", 100)} {
			all.Vectors = append(all.Vectors, vector{salt, key, route.Bucket(salt, key)})
		}
		for i := range 20 {
			key := fmt.Sprintf("user-%d", i)
			all.Vectors = append(all.Vectors, vector{salt, key, route.Bucket(salt, key)})
		}
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// chiSquare is the statistic of counts that ought to be equal, as a number of standard
// deviations (by Wilson and Hilferty, exact enough from ten degrees of freedom on).
func chiSquare(counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	want, x := float64(total)/float64(len(counts)), 0.0
	for _, n := range counts {
		x += (float64(n) - want) * (float64(n) - want) / want
	}
	k := float64(len(counts) - 1)
	return (math.Cbrt(x/k) - (1 - 2/(9*k))) / math.Sqrt(2/(9*k))
}

const p001 = 3.09 // standard deviations that chance exceeds once in a thousand

// Buckets are uniform for keys of every kind, and what one salt says about a client
// says nothing about another salt (AC16).
func TestBucketsAreUniformAndIndependent(t *testing.T) {
	t.Parallel()
	const keys = 100_000
	for kind, key := range map[string]func(i int) string{
		"numbers": func(i int) string { return fmt.Sprint(i) },
		"padded":  func(i int) string { return fmt.Sprintf("%032x", i) },
		"emails":  func(i int) string { return fmt.Sprintf("someone.%d@shop.example", i) },
		"one bit": func(i int) string { return string([]byte{byte(i), byte(i >> 8), byte(i >> 16)}) },
	} {
		single, joint := make([]int, 100), make([]int, 400)
		for i := range keys {
			a, b := route.Bucket("orders", key(i)), route.Bucket("reviews", key(i))
			single[a/100]++
			joint[a/500*20+b/500]++
		}
		if z := chiSquare(single); z > p001 || z < -p001 {
			t.Errorf("%s: not uniform, z = %.2f", kind, z)
		}
		if z := chiSquare(joint); z > p001 || z < -p001 {
			t.Errorf("%s: two salts depend on each other, z = %.2f", kind, z)
		}
	}
	if a, b := route.Bucket("ab", "c"), route.Bucket("a", "bc"); a == b {
		t.Errorf("salt and key run into each other: %d", a)
	}
}

// canaryTable has one GET route for each salt, all at the same share.
func canaryTable(t testing.TB, share int, sticky route.Sticky, groups ...string) *route.Table {
	t.Helper()
	var all []route.Route
	for i, group := range groups {
		match, err := route.ParseTemplate(fmt.Sprintf("GET /r%d", i))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, route.Route{Name: fmt.Sprintf("r%d", i), Match: match, Service: "s", Stage: route.Canary(share), Group: group, Sticky: sticky})
	}
	table, err := route.Build(all)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func byUser(path, user string) route.Head {
	return route.Head{Method: "GET", Path: path, Header: map[string][]string{"X-User-Id": {user}}}
}

var userID = route.Sticky{{Header: "X-User-Id"}}

func onService(t testing.TB, table *route.Table, head route.Head) bool {
	t.Helper()
	d, err := route.Decide(table, head)
	if err != nil || d.NeedsKey || d.Reason != route.InCanary && d.Reason != route.OutsideCanary || d.Reason == route.InCanary != (d.Side == route.ToService) {
		t.Fatalf("%+v: %+v %v", head, d, err)
	}
	return d.Side == route.ToService
}

// AC14 and its kin: n·p ± 4·√(n·p·(1−p)) of n distinct clients are on the service.
func TestShares(t *testing.T) {
	t.Parallel()
	const n = 10_000
	for _, percent := range []float64{0, 0.5, 1, 5, 10, 25, 50, 90, 99.5, 100} {
		table := canaryTable(t, int(percent*100), userID, "")
		got := 0
		for i := range n {
			if onService(t, table, byUser("/r0", fmt.Sprintf("user-%d", i))) {
				got++
			}
		}
		p := percent / 100
		if want, band := n*p, 4*math.Sqrt(n*p*(1-p)); math.Abs(float64(got)-want) > band {
			t.Errorf("%v %%: %d of %d, want %.0f ± %.0f", percent, got, n, want, band)
		}
	}
}

// AC15 and AC16: whoever is on the service at a share is on it at every greater one,
// on every replica and with every route of the group.
func TestCanaryIsMonotoneAndGroupsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		low := rapid.IntRange(0, route.Everyone).Draw(r, "low")
		high := rapid.IntRange(low, route.Everyone).Draw(r, "high")
		group := rapid.StringMatching(`[a-z][a-z0-9._-]{0,20}`).Draw(r, "group")
		before, after := canaryTable(t, low, userID, group, group, "other"), canaryTable(t, high, userID, group, group, "other")
		replica := canaryTable(t, low, userID, "other", group)
		for range 20 {
			user := rapid.StringN(1, 50, -1).Draw(r, "user")
			was := onService(t, before, byUser("/r0", user))
			if was && !onService(t, after, byUser("/r0", user)) {
				r.Fatalf("%q is on the service at %d and not at %d", user, low, high)
			}
			if was != onService(t, before, byUser("/r1", user)) {
				r.Fatalf("%q is on two sides of group %s", user, group)
			}
			if was != onService(t, replica, byUser("/r1", user)) {
				r.Fatalf("%q is on two sides of two replicas", user)
			}
			if want := route.Bucket(group, user) < low; was != want {
				r.Fatalf("%q: %v, want %v", user, was, want)
			}
		}
	})
}

func BenchmarkBucket(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		route.Bucket("product-recommendations", "0123456789abcdef0123456789abcdef")
	}
}
