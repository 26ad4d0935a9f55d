package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// BenchmarkParse reads files of many routes; the time for one must not grow with
// their number.
func BenchmarkParse(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		for name, form := range map[string]string{
			"block": "  r%d:\n    match: GET /api/things%[1]d/{id}\n    to: s\n    stage: live\n",
			"flow":  "  r%d: { match: \"GET /api/things%[1]d/{id}\", to: s, stage: live }\n",
		} {
			var source strings.Builder
			source.WriteString("version: 1\nmonolith: http://127.0.0.1:1\nservices: { s: http://127.0.0.1:2 }\nroutes:\n")
			for i := range n {
				fmt.Fprintf(&source, form, i)
			}
			b.Run(fmt.Sprintf("%d-%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := config.Parse("c.yaml", []byte(source.String()), config.Options{}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/route")
			})
		}
	}
}
