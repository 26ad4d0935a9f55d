package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const proxyConnections = 32

// found wants an answer that a healthy shop gives: 200, or 404 for what is not sold.
func found(res *http.Response) error {
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNotFound {
		return fmt.Errorf("GET %s: status %s", res.Request.URL, res.Status)
	}
	return nil
}

// A hop is one way to the same answers.
type hop struct {
	name      string
	addr      string
	prepare   func(ctx context.Context) error // before each round; nil does nothing
	process   *process                        // the one whose processor time counts; nil for none
	rate      []float64
	p50, p99  []time.Duration
	processor []time.Duration // per request
	failed    int64
}

// compare sends the same load over each hop in turn, round by round.
func compare(ctx context.Context, s settings, hops []*hop, url func(h *hop, i int64) string) error {
	for round := range s.rounds + 1 { // the first one warms up
		for _, h := range hops {
			fmt.Fprintf(s.say, "shop: %s, round %d\n", h.name, round)
			if h.prepare != nil {
				if err := h.prepare(ctx); err != nil {
					return err
				}
			}
			var before time.Duration
			if h.process != nil {
				before = h.process.processor()
			}
			got, err := load{
				Duration: s.seconds / 4, Connections: proxyConnections, Check: found,
				URL: func(i int64) string { return url(h, i) },
			}.run(ctx)
			if err != nil {
				return err
			}
			h.failed += got.failed
			if round == 0 {
				continue
			}
			h.rate = append(h.rate, got.perSecond())
			h.p50 = append(h.p50, got.percentile(50))
			h.p99 = append(h.p99, got.percentile(99))
			if h.process != nil {
				h.processor = append(h.processor, (h.process.processor()-before)/time.Duration(max(1, got.sent())))
			}
		}
	}
	return nil
}

func hopSection(hops []*hop, title, text string) section {
	s := section{
		title: title, text: text,
		header: []string{"way", "requests/s", "of the first", "p50", "p99", "processor per request", "failed"},
	}
	for _, h := range hops {
		processor := "–"
		if h.process != nil && median(h.processor) > 0 {
			processor = fmt.Sprintf("%d µs", median(h.processor).Microseconds())
		}
		s.rows = append(s.rows, []string{
			h.name, fmt.Sprintf("%.0f", median(h.rate)), fmt.Sprintf("%.2f", median(h.rate)/median(hops[0].rate)),
			ms(median(h.p50)), ms(median(h.p99)), processor, fmt.Sprint(h.failed),
		})
	}
	return s
}

// measureMixes compares the ways to one endpoint of the shop: alone, behind the
// proxy, and extracted.
func measureMixes(ctx context.Context, s settings) (section, error) {
	shop, err := s.startShop(ctx, "mixes")
	if err != nil {
		return section{}, err
	}
	defer shop.stop()
	stage := func(stage string) func(context.Context) error {
		return func(ctx context.Context) error { return shop.setRoute(ctx, stage) }
	}
	hops := []*hop{
		{name: "monolith, directly", addr: shop.monolith, process: shop.processes[0]},
		{name: "proxy → monolith", addr: shop.proxy, process: shop.processes[2], prepare: stage("monolith")},
		{name: "service, directly", addr: shop.recommendations, process: shop.processes[1]},
		{name: "proxy → service", addr: shop.proxy, process: shop.processes[2], prepare: stage("live")},
	}
	url := func(h *hop, i int64) string {
		return fmt.Sprintf("http://%s/api/products/%d/recommendations", h.addr, 1+i%200)
	}
	if err := compare(ctx, s, hops, url); err != nil {
		return section{}, err
	}
	return hopSection(hops, "What leaving the monolith costs", fmt.Sprintf(
		"`GET /api/products/{id}/recommendations` at scale 1, closed loop, %d connections, %d rounds of %s; medians. Processor time is that of the named or, behind it, the proxy's process.",
		proxyConnections, s.rounds, s.seconds/4)), nil
}

// A shopRun is the shop behind the proxy.
type shopRun struct {
	proxy, admin, monolith, recommendations string
	processes                               []*process // monolith, recommendations, proxy
	config, strangler                       string
}

const shopConfig = `version: 1
monolith: http://%s
services:
  recommendations: http://%s
guard: off
routes:
  product-recommendations: { match: "GET /api/products/{id}/recommendations", to: recommendations, stage: monolith }
`

func (s settings) startShop(ctx context.Context, name string) (*shopRun, error) {
	addrs, err := freeAddresses(ctx, 4)
	if err != nil {
		return nil, err
	}
	run := &shopRun{proxy: addrs[0], admin: addrs[1], monolith: addrs[2], recommendations: addrs[3], config: filepath.Join(s.dir, name+".yaml")}
	if run.strangler, err = s.path("strangler"); err != nil {
		return nil, err
	}
	service, err := s.path("recommendations")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(run.config, fmt.Appendf(nil, shopConfig, run.monolith, run.recommendations), 0o644); err != nil {
		return nil, err
	}
	for _, begin := range []func() (*process, error){
		func() (*process, error) { return s.startMonolith(ctx, run.monolith, name, 1) },
		func() (*process, error) {
			return start(ctx, service, "http://"+run.recommendations+"/readyz", time.Minute, "serve", "--addr", run.recommendations,
				"--db", filepath.Join(s.dir, name+"-recommendations.db"), "--monolith", "http://"+run.monolith, "--log-level", "warn", "--log-format", "json")
		},
		func() (*process, error) {
			return start(ctx, run.strangler, "http://"+run.admin+"/healthz", time.Minute,
				"proxy", "--config", run.config, "--listen", run.proxy, "--admin", run.admin, "--log-level", "warn")
		},
	} {
		p, err := begin()
		if err != nil {
			run.stop()
			return nil, err
		}
		run.processes = append(run.processes, p)
	}
	return run, nil
}

func (r *shopRun) stop() {
	for i := len(r.processes) - 1; i >= 0; i-- {
		r.processes[i].stop()
	}
}
