package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/compare/outcome"
)

//go:embed report.html.tmpl
var pageText string

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"many": many, "clip": clip, "orAbsent": orAbsent, "upper": func(s any) string { return strings.ToUpper(fmt.Sprint(s)) },
	"ms": func(f float64) string { return fmt.Sprintf("%.1f", f) }, "join": strings.Join,
	"day": func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format("2 January 2006, 15:04:05 UTC")
	},
}).Parse(pageText))

// view is what the page shows.
type view struct {
	*Report
	Headline string
	Compared string
	Tally    []tally
	Groups   []routeGroup
	Backends []string
	Bad      []outcome.Row // tests of which there is something to say
	Good     int
	More     int // findings beyond those of the page
}

type tally struct {
	Label string
	N     int
	Bad   bool
}

// A routeGroup is a route with its findings.
type routeGroup struct {
	Route    Route
	Findings []findingView
	Backends string
}

type findingView struct {
	F       Finding
	Before  []bodyLine
	After   []bodyLine
	Example *Example
}

// A bodyLine is a line of a body and what was noticed there.
type bodyLine struct {
	Text  string
	Class string // "", "found" or "relaxed"
	Why   string
}

// maxPage bounds the bodies of a page: what comes after is in the JSON.
const (
	maxPage         = 2 << 20
	maxPageFindings = 1000
)

// HTML writes the report as one page that needs no network.
func (r *Report) HTML(w io.Writer) error {
	v := view{Report: r, Headline: r.headline(), Compared: r.compared()}
	for _, verdict := range verdictOrder {
		if n := r.Totals.Tests[verdict]; n > 0 {
			v.Tally = append(v.Tally, tally{string(verdict), n, verdict.Worse()})
		}
	}
	for _, row := range r.Outcomes {
		if row.Verdict == outcome.Same {
			v.Good++
		} else {
			v.Bad = append(v.Bad, row)
		}
	}
	v.Groups, v.Backends = r.grouped()
	v.More = max(0, len(r.Findings)-maxPageFindings)
	return page.Execute(w, v)
}

func (r *Report) grouped() (groups []routeGroup, backends []string) {
	examples := map[int]*Example{}
	for i := range r.Examples {
		examples[r.Examples[i].Number] = &r.Examples[i]
	}
	routes := map[string]Route{}
	for _, route := range r.Routes {
		routes[route.Route] = route
	}
	all := map[string]bool{}
	room := maxPage
	list := byRoute(r.Findings)
	for _, f := range list[:min(maxPageFindings, len(list))] {
		if len(groups) == 0 || groups[len(groups)-1].Route.Route != f.Route {
			route, ok := routes[f.Route]
			if !ok {
				route.Route = f.Route
			}
			groups = append(groups, routeGroup{Route: route, Backends: strings.Join(slices.Sorted(maps.Keys(route.ServedBy)), " ")})
			for name := range route.ServedBy {
				all[name] = true
			}
		}
		shown := findingView{F: f, Example: examples[f.Example]}
		if e := shown.Example; e != nil && room > 0 {
			shown.Before, shown.After = e.lines(&e.Before), e.lines(&e.After)
			room -= len(e.Before.Body) + len(e.After.Body)
		}
		g := &groups[len(groups)-1]
		g.Findings = append(g.Findings, shown)
	}
	return groups, slices.Sorted(maps.Keys(all))
}

// lines breaks a body into lines and marks those of which something was noticed.
func (e *Example) lines(s *Side) []bodyLine {
	marks := map[string]Mark{}
	for _, m := range e.Marks {
		if old, ok := marks[m.Pointer]; !ok || old.Relaxed && !m.Relaxed {
			marks[m.Pointer] = m
		}
	}
	var list []bodyLine
	add := func(pointer, text string) {
		l := bodyLine{Text: text}
		if m, ok := marks[pointer]; ok && pointer != "" {
			l.Class, l.Why = "found", m.Why
			if m.Relaxed {
				l.Class = "relaxed"
			}
		}
		list = append(list, l)
	}
	if !s.Cut && json.Valid([]byte(s.Body)) {
		dec := json.NewDecoder(strings.NewReader(s.Body))
		dec.UseNumber()
		jsonLines(dec, "", "", "", add)
		return list
	}
	for line := range strings.SplitSeq(strings.TrimRight(s.Body, "\n"), "\n") {
		add("", clip(line, 400))
	}
	if s.Cut {
		add("", "…")
	}
	return list
}

// jsonLines writes one value a line, with its pointer.
func jsonLines(dec *json.Decoder, pointer, indent, name string, add func(pointer, text string)) {
	token, err := dec.Token()
	if err != nil {
		return
	}
	open, ok := token.(json.Delim)
	if !ok {
		text, _ := json.Marshal(token) // it was JSON before
		add(pointer, indent+name+string(text))
		return
	}
	add(pointer, indent+name+open.String())
	for i := 0; dec.More(); i++ {
		below, label := fmt.Sprintf("%s/%d", pointer, i), ""
		if open == '{' {
			key, err := dec.Token()
			if err != nil {
				return
			}
			text, _ := key.(string)
			below = pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(text)
			label = text + ": "
		}
		jsonLines(dec, below, indent+"  ", label, add)
	}
	if _, err := dec.Token(); err == nil {
		add("", indent+map[json.Delim]string{'{': "}", '[': "]"}[open])
	}
}
