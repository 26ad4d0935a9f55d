package differ_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// twoKiB returns a list of orders of about 2 KiB.
func twoKiB(total string) string {
	var rows []string
	for i := range 12 {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"number":"ORD-%06d","status":"paid","total_cents":%s,"placed_at":"2026-01-01T00:00:%02dZ","payment":{"id":"0b0f5f2e-52c5-4a7e-9c07-1d7b3a5b%04d"}}`, i, i, total, i, i))
	}
	return `{"items":[` + strings.Join(rows, ",") + `],"page":1}`
}

func BenchmarkCompare(b *testing.B) {
	rules := differ.Rules{
		Ignore: []differ.Ignore{{Scope: differ.Scope{Path: "$.request_id"}}, {Scope: differ.Scope{Path: "$.items[*].seen_at"}}},
		Relax:  []differ.Relax{{Scope: differ.Scope{Path: "$..placed_at"}, Kind: "timestamp"}},
	}
	d := newDiffer(b, rules)
	body := twoKiB("1234")
	for name, after := range map[string]string{"equal": body, "one leaf": strings.Replace(body, `"paid"`, `"new"`, 1), "every row": twoKiB("1235")} {
		pair := differ.Pair{Before: with(get("/orders", body), "Cache-Control", "no-store"), After: with(get("/orders", after), "Cache-Control", "no-store")}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body) + len(after)))
			for b.Loop() {
				d.Compare(nil, pair)
			}
		})
	}
	b.Run("two passes", func(b *testing.B) {
		pairs := make([]differ.Pair, 100)
		for i := range pairs {
			pairs[i] = differ.Pair{Before: get("/orders", body), After: get("/orders", body)}
		}
		b.ReportAllocs()
		for b.Loop() {
			d.CompareAll(nil, pairs)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(pairs)), "ns/exchange")
	})
}
