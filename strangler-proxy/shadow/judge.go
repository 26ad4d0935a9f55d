package shadow

import (
	"bytes"
	"time"

	"github.com/stranglerfig/toolkit/compare/differ"
)

// An outcome is what became of a copy.
type outcome struct {
	verdict Verdict
	kind    differ.Kind // of a mismatch
	failure failure     // of a side
	detail  string      // of an answer that cannot be compared
	spelled bool        // a match that is written differently
	settled bool        // a match with a later answer of the monolith
	result  differ.Result
}

// outcomeOf judges a result. Another spelling of the same value is no mismatch.
func outcomeOf(r differ.Result) outcome {
	o := outcome{verdict: Match, result: r}
	worst := differ.Spelling
	for _, f := range r.Findings {
		if f.Severity > worst {
			worst, o.verdict, o.kind = f.Severity, Mismatch, f.Kind
		}
	}
	o.spelled = o.verdict == Match && len(r.Findings) > 0
	return o
}

// A comparison is one request with the answers of both sides.
type comparison struct {
	route    *liveRoute
	path     string // with the query
	method   string
	request  []byte
	monolith differ.Exchange
	service  differ.Exchange
	took     time.Duration   // of the copy
	size     *differ.Finding // one answer is larger than max_body
}

// compare judges the pair by what is known of the noise.
func (c *comparison) compare() outcome {
	pair := differ.Pair{Before: c.monolith, After: c.service}
	if bytes.Equal(pair.Before.Body, pair.After.Body) {
		pair.Before.Body, pair.After.Body = nil, nil
	}
	result := c.route.differ.Compare(&c.route.stats.learned.noise, pair)
	if c.size != nil {
		result.Findings = append(result.Findings, *c.size)
	}
	return outcomeOf(result)
}

// exchangeOf makes an answer comparable.
func (c *comparison) exchangeOf(a *Answer, body []byte) differ.Exchange {
	return differ.Exchange{
		Method: c.method, Path: c.path, Route: c.route.pattern, Request: c.request, Status: a.Status, Header: a.header(), Body: body,
	}
}

// newComparison prepares the answers; the failure says that one of them cannot be compared.
func newComparison(t *Ticket, path string, request []byte, copied *Answer) (*comparison, failure, string) {
	c := &comparison{route: t.route, path: path, method: t.method, request: request, took: copied.Took}
	limit := t.route.Settings.MaxBody
	mine, errMine := plainBody(&t.primary, limit)
	other, errOther := plainBody(copied, limit)
	if copied.Truncated {
		other, errOther = nil, nil
		c.size = tooLarge(limit)
	}
	switch {
	case c.size != nil:
		mine = nil // what is left of the other one says nothing
	case errMine != nil || errOther != nil:
		if sameEncoded(&t.primary, copied) {
			mine, other = nil, nil
			break
		}
		if errMine == nil {
			errMine = errOther
		}
		return nil, unreadable, errMine.Error()
	}
	c.monolith, c.service = c.exchangeOf(&t.primary, mine), c.exchangeOf(copied, other)
	if t.lane.side == Monolith {
		c.monolith, c.service = c.service, c.monolith
	}
	return c, noFailure, ""
}

// sameEncoded reports whether bodies that cannot be decoded are equal byte by byte.
func sameEncoded(a, b *Answer) bool {
	x, errX := unframed(a.Body, a.Framed)
	y, errY := unframed(b.Body, b.Framed)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
