package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

const (
	shopRate        = 500 // requests a second
	shopConnections = 64
	seedLimit       = 10 * time.Minute
)

// measureShop measures the monolith, alone and beside what has left it.
func measureShop(ctx context.Context, s settings) ([]section, error) {
	ready, err := measureReady(ctx, s)
	if err != nil {
		return nil, err
	}
	pages, err := measurePages(ctx, s)
	if err != nil {
		return nil, err
	}
	mixes, err := measureMixes(ctx, s)
	if err != nil {
		return nil, err
	}
	return []section{ready, pages, mixes}, nil
}

func (s settings) startMonolith(ctx context.Context, addr, name string, scale int) (*process, error) {
	path, err := s.path("monolith")
	if err != nil {
		return nil, err
	}
	return start(ctx, path, "http://"+addr+"/healthz", seedLimit, "serve", "--addr", addr,
		"--db", filepath.Join(s.dir, name+".db"), "--notifications", filepath.Join(s.dir, name+".jsonl"),
		"--seed-scale", fmt.Sprint(scale), "--log-level", "warn", "--log-format", "json")
}

// measureReady times the start on a new database, which is filled first, and on one
// that exists.
func measureReady(ctx context.Context, s settings) (section, error) {
	var fresh, again []time.Duration
	for round := range 2*s.rounds + 1 {
		fmt.Fprintf(s.say, "shop: start %d\n", round+1)
		for _, list := range []*[]time.Duration{&fresh, &again} {
			addr, err := freeAddress(ctx)
			if err != nil {
				return section{}, err
			}
			p, err := s.startMonolith(ctx, addr, fmt.Sprintf("start-%d", round), 1)
			if err != nil {
				return section{}, err
			}
			p.stop()
			*list = append(*list, p.ready)
		}
	}
	return section{
		title:  "Start of the monolith",
		text:   fmt.Sprintf("From the start of the process to the first 200 of `/healthz`, scale 1 (200 products); median of %d.", len(fresh)),
		header: []string{"start", "ready after", "goal"},
		rows: [][]string{
			{"new database, schema and seed included", ms(median(fresh)), within(median(fresh) < 2*time.Second, "< 2 s")},
			{"existing database", ms(median(again)), within(median(again) < 2*time.Second, "< 2 s")},
		},
	}, nil
}

// measurePages measures product list and detail under constant load at scale 100.
func measurePages(ctx context.Context, s settings) (section, error) {
	scale := 100
	if s.short {
		scale = 1
	}
	products := int64(200 * scale)
	addr, err := freeAddress(ctx)
	if err != nil {
		return section{}, err
	}
	fmt.Fprintf(s.say, "shop: fill a database at scale %d\n", scale)
	p, err := s.startMonolith(ctx, addr, "pages", scale)
	if err != nil {
		return section{}, err
	}
	p.stop() // the seed's memory is not the shop's
	if p, err = s.startMonolith(ctx, addr, "pages", scale); err != nil {
		return section{}, err
	}
	defer p.stop()
	sorts := []string{"name", "price", "-price", "rating", "newest"}
	result := section{
		title: "Pages of the monolith",
		text: fmt.Sprintf("%d requests a second for %s each, open loop (a request is measured from the moment it was due), %d products.",
			shopRate, s.seconds, products),
		header: []string{"request", "sent", "failed", "p50", "p99", "goal"},
	}
	service, serviceAddr, err := s.startService(ctx, addr, "pages")
	if err != nil {
		return section{}, err
	}
	defer service.stop()
	anyProduct := func(addr, form string) func() string {
		return func() string { return "http://" + addr + fmt.Sprintf(form, 1+rand.Int64N(products)) }
	}
	for _, page := range []struct {
		name, goal string
		url        func() string
	}{
		{"product list, any sort, one of the first ten pages", "p99 < 20 ms", func() string {
			return fmt.Sprintf("http://%s/api/products?sort=%s&page=%d", addr, sorts[rand.IntN(len(sorts))], 1+rand.IntN(10))
		}},
		{"product", "p99 < 20 ms", anyProduct(addr, "/api/products/%d")},
		{"product page (HTML)", "", anyProduct(addr, "/p/%d")},
		{"recommendations", "", anyProduct(addr, "/api/products/%d/recommendations")},
		{"recommendations, by the service", "", anyProduct(serviceAddr, "/api/products/%d/recommendations")},
	} {
		fmt.Fprintf(s.say, "shop: %s\n", page.name)
		got, err := s.constantLoad(ctx, page.url)
		if err != nil {
			return section{}, err
		}
		p99, goal := got.percentile(99), "–"
		if page.goal != "" {
			goal = within(got.failed == 0 && p99 < 20*time.Millisecond, page.goal)
		}
		result.rows = append(result.rows, []string{
			page.name, fmt.Sprint(got.sent()), failures(got), ms(got.percentile(50)), ms(p99), goal,
		})
	}
	peak := p.peakMemory()
	result.rows = append(result.rows,
		[]string{"memory of the monolith, at most", "", "", "", megabytes(peak), within(peak < 150e6, "< 150 MB")},
		[]string{"memory of the service, at most", "", "", "", megabytes(service.peakMemory()), "–"})
	return result, nil
}

// constantLoad asks for url at the shop's rate, after a short warm-up.
func (s settings) constantLoad(ctx context.Context, url func() string) (outcome, error) {
	l := load{
		Rate: shopRate, Duration: s.seconds / 10, Connections: shopConnections,
		URL: func(int64) string { return url() }, Check: found,
	}
	if _, err := l.run(ctx); err != nil {
		return outcome{}, err
	}
	l.Duration = s.seconds
	return l.run(ctx)
}

// startService starts the recommendations service and waits for its first copy.
func (s settings) startService(ctx context.Context, monolith, name string) (*process, string, error) {
	path, err := s.path("recommendations")
	if err != nil {
		return nil, "", err
	}
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	p, err := start(ctx, path, "http://"+addr+"/readyz", seedLimit, "serve", "--addr", addr,
		"--db", filepath.Join(s.dir, name+"-recommendations.db"), "--monolith", "http://"+monolith,
		"--log-level", "warn", "--log-format", "json")
	return p, addr, err
}
