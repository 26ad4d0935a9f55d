package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/bench/loop"
)

const (
	loadedRoute = 250 // the route that the loads ask for
	smallPath   = "/resource250/1k"
	largePath   = "/resource250/64k"
)

// A scenario is a load that all contestants get in turn.
type scenario struct {
	name string
	load loop.Load
}

func scenarios() []scenario {
	small := func(connections int) loop.Load { return loop.Load{Path: smallPath, Connections: connections} }
	return []scenario{
		{"1 KiB, 1 connection", small(1)},
		{"1 KiB, 16 connections", small(16)},
		{"1 KiB, 64 connections", small(64)},
		{"1 KiB, 256 connections", small(256)},
		{"64 KiB, 64 connections", loop.Load{Path: largePath, Connections: 64}},
		{"POST 4 KiB, 64 connections", loop.Load{Path: smallPath, Connections: 64, Body: 4096}},
	}
}

// A contest is a set of proxies in front of one upstream.
type contest struct {
	settings
	self     string
	up       string // address of the upstream
	upstream *process
	all      []*contestant
	figures  map[string]map[string][]figure // by scenario and contestant
	sent     string                         // how: "load" or "load2"
}

// A figure is what one round of a scenario gave.
type figure struct {
	loop.Result
	processor time.Duration // of the proxy, for each request
	memory    int64         // that it holds afterwards
}

func newContest(ctx context.Context, s settings) (*contest, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	up, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	upstream, err := startOn(ctx, loadCPU, self, "http://"+up+smallPath, standInFlag, "upstream="+up)
	if err != nil {
		return nil, err
	}
	return &contest{settings: s, self: self, up: up, upstream: upstream, figures: map[string]map[string][]figure{}, sent: "load"}, nil
}

func (c *contest) stop() {
	for _, one := range c.all {
		one.process.stop()
	}
	c.upstream.stop()
}

// again is a contest of others in front of the same upstream, with figures of its own.
// Its stop stops those alone.
func (c *contest) again() *contest {
	next := *c
	next.all, next.figures = nil, map[string]map[string][]figure{}
	return &next
}

// leave stops the contestants and leaves the upstream as it is.
func (c *contest) leave() {
	for _, one := range c.all {
		one.process.stop()
	}
}

func (c *contest) enter(one *contestant, err error) error {
	if err == nil {
		c.all = append(c.all, one)
	}
	return err
}

// warm is how long a load runs before it counts.
const warm = 60 * time.Millisecond

// inTurn is who comes when in a round: another first every two rounds, in the other order
// in the second of them, so that nobody is always early, or always behind the same one.
func inTurn[T any](all []T, round int) []T {
	at := round / 2 % len(all)
	order := slices.Concat(all[at:], all[:at])
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

// round gives a scenario to every contestant in turn. The first round, number 0, warms up.
func (c *contest) round(ctx context.Context, sc scenario, round, cpu int) error {
	sc.load.Warm, sc.load.Duration = warm, c.seconds
	if sc.load.Rate > 0 {
		sc.load.Duration *= 3 // these are few, and the slowest of them count
	}
	for _, one := range inTurn(c.all, round) {
		got, err := c.measure(ctx, one, sc.load, cpu)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", one.name, sc.name, err)
		}
		if round == 0 {
			continue
		}
		if c.figures[sc.name] == nil {
			c.figures[sc.name] = map[string][]figure{}
		}
		c.figures[sc.name][one.name] = append(c.figures[sc.name][one.name], got)
	}
	return nil
}

// rounds runs scenarios round by round.
func (c *contest) rounds(ctx context.Context, cpu int, list ...scenario) error {
	for round := range c.settings.rounds + 1 {
		for _, sc := range list {
			fmt.Fprintf(c.say, "proxy: %s, round %d of %d\n", sc.name, round, c.settings.rounds)
			if err := c.round(ctx, sc, round, cpu); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *contest) measure(ctx context.Context, one *contestant, l loop.Load, cpu int) (figure, error) {
	job := watchedLoad{Load: l}
	job.Addr = one.addr
	if one.process != nil {
		job.Watch = one.process.cmd.Process.Pid
	}
	got, err := c.send(ctx, job, cpu)
	if err != nil {
		return figure{}, err
	}
	if got.Requests == 0 {
		return figure{}, fmt.Errorf("no request was answered: %s", got.FirstFail)
	}
	f := figure{Result: got}
	if job.Watch != 0 {
		f.processor = got.Processor / time.Duration(got.Requests)
		f.memory = treeMemory(job.Watch)
	}
	return f, nil
}

// send runs a load in a process of its own.
func (c *contest) send(ctx context.Context, l watchedLoad, cpu int) (loop.Result, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return loop.Result{}, err
	}
	var out, log bytes.Buffer
	cmd := exec.CommandContext(ctx, c.self, standInFlag, c.sent+"="+string(text))
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := onCPU(cpu, cmd.Start); err != nil {
		return loop.Result{}, fmt.Errorf("start the load: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return loop.Result{}, fmt.Errorf("load: %w: %s", err, log.String())
	}
	var got loop.Result
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return loop.Result{}, fmt.Errorf("load: %w", err)
	}
	return got, nil
}

func processorOf(f figure) float64 { return float64(f.processor.Nanoseconds()) / 1000 }
func p50Of(f figure) float64       { return float64(f.P50.Nanoseconds()) / 1000 }
func p99Of(f figure) float64       { return float64(f.P99.Nanoseconds()) / 1000 }
func rateOf(f figure) float64      { return float64(f.Requests) / f.Took.Seconds() }
func memoryOf(f figure) float64    { return float64(f.memory) / (1 << 20) }

// failed tells how many requests failed, and the first reason.
func (c *contest) failed(scenario, name string) string {
	var n int64
	reason := ""
	for _, f := range c.figures[scenario][name] {
		if n += f.Failed; reason == "" {
			reason = f.FirstFail
		}
	}
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", n, reason)
}

// table shows a scenario, with ratios of the processor time to those named.
func (c *contest) table(scenario string, bases ...string) section {
	s := section{title: scenario, header: []string{"proxy", "µs of processor a request"}}
	for _, base := range bases {
		s.header = append(s.header, "of "+base)
	}
	s.header = append(s.header, "requests/s", "p50 µs", "p99 µs", "memory MiB", "failed")
	for _, one := range c.all {
		row := []string{one.name, c.of(scenario, one.name, processorOf).text("%.1f")}
		for _, base := range bases {
			row = append(row, c.against(scenario, one.name, base, processorOf).text("%.2f"))
		}
		for _, what := range []func(figure) float64{rateOf, p50Of, p99Of, memoryOf} {
			row = append(row, fmt.Sprintf("%.0f", c.of(scenario, one.name, what).mid))
		}
		s.rows = append(s.rows, append(row, c.failed(scenario, one.name)))
	}
	return s
}

// metric sums the values of our proxy's metrics whose names, with their labels, begin so.
func (c *contestant) metric(ctx context.Context, prefix string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	total, found := 0.0, false
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		_, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("metrics: %q: %w", line, err)
		}
		total, found = total+n, true
	}
	if !found {
		return 0, fmt.Errorf("metrics: there is no %s", prefix)
	}
	return total, nil
}
