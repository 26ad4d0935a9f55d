package main

import (
	"fmt"
	"math"
)

// goals says for each goal of the proxy whether it was reached: the middle of the rounds counts.
func (r *report) goals() section {
	s := section{title: "What the proxy costs, and its goals", header: []string{"goal", "wanted", "measured", "verdict"}}
	add := func(row []string, got spread) {
		if got.low != got.high {
			row[2] += fmt.Sprintf(" (%.2f to %.2f)", got.low, got.high)
		}
		s.rows = append(s.rows, row)
	}
	most := func(name string, limit float64, got spread, unit string) {
		add(atMost(name, limit, got.mid, unit), got)
	}
	for _, sc := range scenarios()[1:] {
		limit := 0.80
		if sc.load.Path == largePath {
			limit = 0.90
		}
		most("processor a request, "+sc.name, limit, r.main.against(sc.name, oursName, nginxName, processorOf), "× nginx")
		if sc.load.Path != largePath {
			most("the same", 1.4, r.main.against(sc.name, oursName, relayName, processorOf), "× a relay that parses nothing")
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
			got := r.main.against(sc.name, other.name, oursName, processorOf)
			add(atLeast(other.name+" needs, "+sc.name, limit, got.mid, "× ours"), got)
		}
	}
	added := r.shared.each(sharedScenario, func(at func(string) figure) float64 {
		direct := p50Of(at("direct"))
		return ratio(p50Of(at(oursName))-direct, p50Of(at(nginxName))-direct)
	})
	most("latency added at one connection, all on one processor", 1.0, added, "× nginx")
	most("system calls a request, 64 connections", 4.3, spread{mid: r.calls[oursName]}, "")
	s.rows = append(s.rows, atMostOrNone("allocations a request", 0, r.allocations, ""))
	most("memory of an idle connection", 8192, spread{mid: r.idle[oursName]}, "bytes")
	most("access log on", 1.15, r.ours.against(oursScenario, oursLog, ours500, processorOf), "× off")
	most("500 routes", 1.05, r.ours.against(oursScenario, ours500, ours1, processorOf), "× 1 route")
	most("shadow copies of all reads, processor", 2.2, r.copies.against(copiesScenario, allCopies, noCopies, processorOf), "× none")
	most("shadow copies of all reads, p99 of the clients", 1.1, r.copies.against(copiesScenario, allCopies, noCopies, p99Of), "× none")
	most("HTTP/2 and TLS in, processor", 0.7, r.secure.against(secureScenario, oursName, caddyName, processorOf), "× Caddy")
	return s
}

// floor says how much of nginx's processor time can be saved at all, and why ours is not
// that little; nothing where the relay or nginx was not measured.
func (r *report) floor() string {
	low, high := math.Inf(1), 0.0
	for _, sc := range scenarios()[1:] {
		if least := r.main.against(sc.name, relayName, nginxName, processorOf).mid; least > 0 {
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
