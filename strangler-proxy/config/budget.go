package config

import (
	"strconv"
	"strings"

	"github.com/stranglerfig/toolkit/internal/yamldoc"
)

// DefaultFallbackMax is how many requests the monolith may answer in place of services
// at a time, unless the file says otherwise.
const DefaultFallbackMax = 256

// alwaysAllowed keeps a share from meaning none at all when there is little traffic.
const alwaysAllowed = 10

// A Budget bounds how many requests at a time the monolith answers in place of services.
type Budget struct {
	Count   int // at most so many; used when Percent is 0
	Percent int // at most this share of the requests in flight
}

// Limit is the number of fallbacks in flight that are allowed while the proxy serves
// inFlight requests.
func (b Budget) Limit(inFlight int64) int64 {
	if b.Percent == 0 {
		return int64(b.Count)
	}
	return max(alwaysAllowed, inFlight*int64(b.Percent)/100)
}

// String is the spelling of the file.
func (b Budget) String() string {
	if b.Percent > 0 {
		return strconv.Itoa(b.Percent) + "%"
	}
	return strconv.Itoa(b.Count)
}

func (c *checker) budget(n *yamldoc.Node) Budget {
	const what, remedy = "defaults.fallback.max", "e.g. 256 or 20%"
	if n.Kind == yamldoc.Number {
		return Budget{Count: c.count(n, what, 1_000_000)}
	}
	text := c.text(n, what)
	if text == "" {
		return Budget{}
	}
	number, percent := strings.CutSuffix(text, "%")
	value, err := strconv.Atoi(number)
	switch {
	case err != nil || !percent:
		c.add(n.Pos, remedy, "%s: %q is neither a number nor a percentage", what, text)
	case value < 1 || value > 100:
		c.add(n.Pos, remedy, "%s: %s is not between 1%% and 100%%", what, text)
	}
	return Budget{Percent: value}
}
