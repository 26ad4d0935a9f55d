package main

import (
	"fmt"
	"math"
)

// goals says for each goal of the proxy whether it was reached.
func (r *report) goals() section {
	s := section{title: "What the proxy costs, and its goals", header: []string{"goal", "wanted", "measured", "verdict"}}
	most := func(name string, limit, got float64, unit string) {
		s.rows = append(s.rows, atMost(name, limit, got, unit))
	}
	for _, sc := range scenarios()[1:] {
		ours := r.main.of(sc.name, oursName, processorOf)
		limit := 0.80
		if sc.load.Path == largePath {
			limit = 0.90
		}
		most("processor a request, "+sc.name, limit, ratio(ours, r.main.of(sc.name, nginxName, processorOf)), "× nginx")
		if sc.load.Path != largePath {
			most("the same", 1.4, ratio(ours, r.main.of(sc.name, relayName, processorOf)), "× a relay that parses nothing")
		}
	}
	for _, other := range []struct {
		name  string
		small float64
	}{{caddyName, 6}, {traefikName, 5}} {
		for _, sc := range scenarios()[1:5] {
			limit := other.small
			if sc.load.Path == largePath {
				limit = 3.5
			}
			s.rows = append(s.rows, atLeast(other.name+" needs, "+sc.name, limit,
				ratio(r.main.of(sc.name, other.name, processorOf), r.main.of(sc.name, oursName, processorOf)), "× ours"))
		}
	}
	added := func(name string) float64 {
		p50 := r.shared.of(sharedScenario, name, p50Of)
		if p50 == 0 {
			return 0
		}
		return p50 - r.shared.of(sharedScenario, "direct", p50Of)
	}
	most("latency added at one connection, all on one processor", 1.0, ratio(added(oursName), added(nginxName)), "× nginx")
	most("system calls a request, 64 connections", 4.3, r.calls[oursName], "")
	s.rows = append(s.rows, atMostOrNone("allocations a request", 0, r.allocations, ""))
	most("memory of an idle connection", 8192, r.idle[oursName], "bytes")
	ours := func(name string) float64 { return r.ours.of(oursScenario, name, processorOf) }
	most("access log on", 1.15, ratio(ours(oursLog), ours(ours500)), "× off")
	most("500 routes", 1.05, ratio(ours(ours500), ours(ours1)), "× 1 route")
	copies := func(name string, what func(figure) float64) float64 { return r.copies.of(copiesScenario, name, what) }
	most("shadow copies of all reads, processor", 2.2, ratio(copies(allCopies, processorOf), copies(noCopies, processorOf)), "× none")
	most("shadow copies of all reads, p99 of the clients", 1.1, ratio(copies(allCopies, p99Of), copies(noCopies, p99Of)), "× none")
	most("HTTP/2 and TLS in, processor", 0.7,
		ratio(r.secure.of(secureScenario, oursName, processorOf), r.secure.of(secureScenario, caddyName, processorOf)), "× Caddy")
	return s
}

// floor says how much of nginx's processor time can be saved at all, and why ours is not
// that little; nothing where the relay or nginx was not measured.
func (r *report) floor() string {
	low, high := math.Inf(1), 0.0
	for _, sc := range scenarios()[1:] {
		if least := ratio(r.main.of(sc.name, relayName, processorOf), r.main.of(sc.name, nginxName, processorOf)); least > 0 {
			low, high = min(low, least), max(high, least)
		}
	}
	if high == 0 {
		return ""
	}
	return fmt.Sprintf("\n\nWhere 0.80 × nginx is not reached: the relay that parses nothing, and so does little but call the system, needed %.2f to %.2f × nginx in this run, and that is what can be had. "+
		"In profiles about 70 %% of our time is the kernel's; the rest is spread evenly, without a place that would give much. "+
		"One system call is more than need be, on purpose: a kept connection is looked at before it is used, so that a stray answer on it never reaches another client.", low, high)
}

// ratio is 0 where one of the two was not measured.
func ratio(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a / b
}

// atMost is a line of the table of goals; a figure of 0 was not measured.
func atMost(name string, limit, got float64, unit string) []string {
	if got == 0 {
		return []string{name, "≤ " + amount(limit, unit), "–", "not measured"}
	}
	return atMostOrNone(name, limit, got, unit)
}

// atMostOrNone is atMost for a figure that may be 0.
func atMostOrNone(name string, limit, got float64, unit string) []string {
	verdict := "reached"
	if shown := round(got); shown > limit {
		verdict = "**not reached**"
		if limit > 0 {
			verdict += fmt.Sprintf(", %.0f %% above", 100*(shown/limit-1))
		}
	}
	return []string{name, "≤ " + amount(limit, unit), amount(got, unit), verdict}
}

// atLeast is atMost the other way round.
func atLeast(name string, limit, got float64, unit string) []string {
	row := []string{name, "≥ " + amount(limit, unit), "–", "not measured"}
	if got == 0 {
		return row
	}
	row[2], row[3] = amount(got, unit), "reached"
	if shown := round(got); shown < limit {
		row[3] = fmt.Sprintf("**not reached**, %.0f %% below", 100*(1-shown/limit))
	}
	return row
}

func amount(n float64, unit string) string {
	form := "%.2f"
	if n >= 100 {
		form = "%.0f"
	}
	text := fmt.Sprintf(form, n)
	if unit != "" {
		text += " " + unit
	}
	return text
}

// round is a figure as it is shown, so that no verdict contradicts what stands beside it.
func round(n float64) float64 {
	if n >= 100 {
		return float64(int64(n + 0.5))
	}
	return float64(int64(100*n+0.5)) / 100
}
