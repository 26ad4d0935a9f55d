package differ_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// Whatever a generator makes, chance included, is matched one to one: tokens that happen to
// look like a word or a number are no findings, and that of another thing is one.
func TestTokensOfEveryAlphabet(t *testing.T) {
	t.Parallel()
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	for name, c := range map[string]struct {
		alphabet string
		form     string
		length   int
	}{
		"base 36, short":      {lower + digits, "%s", 12},
		"base 36, a prefix":   {lower + digits, "k-%s", 12},
		"base 36, two parts":  {lower + digits, "%s_x", 16},
		"base 32":             {upper + "234567", "%s", 16},
		"base 62":             {lower + upper + digits, "%s", 14},
		"hexadecimal":         {"abcdef" + digits, "%s", 16},
		"hexadecimal, longer": {"abcdef" + digits, "%s", 32},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			token := func() string {
				var b strings.Builder
				for range c.length {
					b.WriteByte(c.alphabet[r.IntN(len(c.alphabet))])
				}
				return fmt.Sprintf(c.form, b.String())
			}
			d := newDiffer(t, differ.Rules{})
			run := func() []differ.Exchange {
				a, b := token(), token()
				return []differ.Exchange{
					post("/things", fmt.Sprintf(`{"key":%q,"n":1}`, a)),
					post("/things", fmt.Sprintf(`{"key":%q,"n":2}`, b)),
					get("/first", fmt.Sprintf(`{"key":%q}`, a)),
					get("/second", fmt.Sprintf(`{"key":%q}`, b)),
					get("/page", fmt.Sprintf(`{"line":"Article %s, and more"}`, a)),
				}
			}
			const rounds = 300
			seen := 0
			for range rounds {
				before, again, after := run(), run(), run()
				var noise differ.Noise
				suite := d.Suite(nil)
				for _, p := range pairsOf(before, again) {
					suite.Bind(p)
				}
				for _, p := range pairsOf(before, again) {
					suite.Learn(&noise, p)
				}
				if got := findings(d, &noise, before, after); len(got) > 0 {
					t.Fatalf("%s, %s, %s: %+v", before[0].Body, again[0].Body, after[0].Body, got)
				}
				after[2].Body, after[3].Body = after[3].Body, after[2].Body
				if len(findings(d, &noise, before, after)) > 0 {
					seen++
				}
			}
			// Where both of BEFORE's look like words, they are noise.
			if seen < rounds*9/10 {
				t.Errorf("the other thing's key was found in %d of %d", seen, rounds)
			}
		})
	}
}
