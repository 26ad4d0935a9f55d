package main

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"sync/atomic"
	"time"
)

const (
	flipRate = 1000
	flips    = 50
)

// setRoute moves the route of the recommendations with the real command, as a person
// would, and waits until the proxy answers from there.
func (r *shopRun) setRoute(ctx context.Context, stage string) error {
	out, err := exec.CommandContext(ctx, r.strangler, "route", "set", "product-recommendations", stage, "--config", r.config).CombinedOutput()
	if err != nil {
		return fmt.Errorf("route set %s: %w: %s", stage, err, out)
	}
	want := "monolith"
	if stage == "live" {
		want = "recommendations"
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		served, err := servedBy(ctx, "http://"+r.proxy+"/api/products/1/recommendations")
		if err != nil {
			return fmt.Errorf("route set %s: %w", stage, err)
		}
		if served == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("route set %s: %s still answers after ten seconds", stage, served)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func servedBy(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	return res.Header.Get("X-Strangler-Served-By"), nil
}

// measureFlip moves a route back and forth under constant load: no request may fail.
func measureFlip(ctx context.Context, s settings) ([]section, error) {
	shop, err := s.startShop(ctx, "flip")
	if err != nil {
		return nil, err
	}
	defer shop.stop()
	fmt.Fprintf(s.say, "flip: %d requests/s for %s\n", flipRate, s.seconds)
	var monolith, service atomic.Int64
	traffic := load{
		Rate: flipRate, Duration: s.seconds, Connections: 64,
		URL: func(i int64) string {
			return fmt.Sprintf("http://%s/api/products/%d/recommendations", shop.proxy, 1+i%100)
		},
		Check: func(res *http.Response) error {
			switch res.Header.Get("X-Strangler-Served-By") {
			case "monolith":
				monolith.Add(1)
			case "recommendations":
				service.Add(1)
			}
			return found(res)
		},
	}
	n := flips
	if s.short {
		n = 5
	}
	var slowest time.Duration
	flipped := make(chan error, 1)
	go func() {
		flipped <- func() error {
			for i := range n {
				began := time.Now()
				if err := shop.setRoute(ctx, []string{"live", "monolith"}[i%2]); err != nil {
					return err
				}
				slowest = max(slowest, time.Since(began))
				time.Sleep(s.seconds/time.Duration(n+5) - time.Since(began)) // spread over the whole load
			}
			return nil
		}()
	}()
	got, err := traffic.run(ctx)
	if err != nil {
		return nil, err
	}
	if err := <-flipped; err != nil {
		return nil, err
	}
	return []section{{
		title: "A route is flipped under load",
		text: fmt.Sprintf("%d requests a second for %s through the proxy, open loop, while `strangler route set` moves their route %d times between monolith and service.",
			flipRate, s.seconds, n),
		header: []string{"sent", "failed", "by the monolith", "by the service", "p50", "p99", "slowest flip, command to effect", "goal"},
		rows: [][]string{{
			fmt.Sprint(got.sent()), failures(got), fmt.Sprint(monolith.Load()), fmt.Sprint(service.Load()),
			ms(got.percentile(50)), ms(got.percentile(99)), ms(slowest),
			within(got.failed == 0 && (s.short || got.sent() >= 20_000) && service.Load() > 0, "0 failed of 20,000"),
		}},
	}}, nil
}
