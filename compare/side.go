package compare

import (
	"net/http"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/compare/align"
	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/record"
)

// A side is one recording, prepared for aligning.
type side struct {
	rec   *record.Recording
	items []align.Item
}

// newSide attributes the exchanges to tests and gives them their routes.
func newSide(rec *record.Recording, routes func(*record.Exchange) string) *side {
	s := &side{rec: rec, items: make([]align.Item, len(rec.Exchanges))}
	windows := newWindows(rec)
	for i := range rec.Exchanges {
		e := &rec.Exchanges[i]
		if e.Test == "" {
			e.Test = windows.testOf(e)
		}
		s.items[i] = align.Item{
			Test: e.Test, Method: e.Method, Path: e.Path, Route: routes(e), Print: printOf(e),
			Status: e.Status, Start: e.Start, End: e.End(),
		}
	}
	return s
}

// exchange returns an exchange as the differ wants it.
func (s *side) exchange(i int) differ.Exchange {
	e := &s.rec.Exchanges[i]
	d := differ.Exchange{
		Method: e.Method, Path: e.Path, Route: s.items[i].Route, Request: e.Request.Body,
		Status: e.Status, Header: e.Response.Header, At: s.rec.Info.Started.Add(e.End()),
	}
	body, whole := e.Response.Comparable()
	d.Body = body
	if !whole {
		d.Header = opaque(d.Header)
	}
	return d
}

// opaque lets what stands for a long body be compared as bytes.
func opaque(h http.Header) http.Header {
	h = h.Clone()
	h.Set("Content-Type", "application/octet-stream; kept=hash")
	return h
}

// printOf is what a request has in common with the same one of another run: words with
// digits in them are likely to be generated.
func printOf(e *record.Exchange) string {
	const most = 512
	_, query, _ := strings.Cut(e.Path, "?")
	body := e.Request.Body
	text := query + " " + string(body[:min(len(body), most)])
	var b strings.Builder
	word := 0
	generated := false
	flush := func(end int) {
		switch {
		case generated:
			b.WriteByte('#')
		case end > word:
			b.WriteString(text[word:end])
		}
		generated = false
	}
	for i := 0; i < len(text) && b.Len() < most; i++ {
		c := text[i]
		switch {
		case '0' <= c && c <= '9':
			generated = true
		case 'a' <= c|0x20 && c|0x20 <= 'z':
		default:
			flush(i)
			b.WriteByte(c)
			word = i + 1
		}
	}
	flush(len(text))
	return b.String()
}

// windows know which test ran alone at a time, from go test -json.
type windows struct {
	began time.Time
	list  []window
}

type window struct {
	test     string
	from, to time.Duration
}

// leaves of the tree of tests only: a test waits while its subtests run.
func newWindows(rec *record.Recording) *windows {
	w := &windows{began: rec.Info.Started}
	parents := map[string]bool{}
	for _, t := range rec.Outcomes.Windows {
		for i := range len(t.Test) {
			if t.Test[i] == '/' {
				parents[t.Test[:i]] = true
			}
		}
	}
	for _, t := range rec.Outcomes.Windows {
		if !parents[t.Test] {
			w.list = append(w.list, window{t.Test, t.From.Sub(w.began), t.To.Sub(w.began)})
		}
	}
	return w
}

// slack is how far the clocks of the runner and the recorder may be apart.
const slack = 2 * time.Millisecond

// testOf returns the only test that ran during the whole exchange; with more than one, or
// none, it returns "".
func (w *windows) testOf(e *record.Exchange) string {
	found := ""
	for _, t := range w.list {
		switch {
		case t.to+slack < e.Start || t.from-slack > e.End():
		case found != "" || t.from-slack > e.Start || t.to+slack < e.End():
			return ""
		default:
			found = t.test
		}
	}
	return found
}
