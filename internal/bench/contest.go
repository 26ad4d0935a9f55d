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

// round gives a scenario to every contestant in turn, in the other order every second
// time. The first round, number 0, warms up.
func (c *contest) round(ctx context.Context, sc scenario, round, cpu int) error {
	order := slices.Clone(c.all)
	if round%2 == 1 {
		slices.Reverse(order)
	}
	sc.load.Duration = c.seconds
	if round == 0 {
		sc.load.Duration = c.seconds / 4
	}
	for _, one := range order {
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
	l.Addr = one.addr
	var before time.Duration
	pid := 0
	if one.process != nil {
		pid = one.process.cmd.Process.Pid
		before = treeProcessor(pid)
	}
	got, err := c.send(ctx, l, cpu)
	if err != nil {
		return figure{}, err
	}
	if got.Requests == 0 {
		return figure{}, fmt.Errorf("no request was answered: %s", got.FirstFail)
	}
	f := figure{Result: got}
	if pid != 0 {
		f.processor = (treeProcessor(pid) - before) / time.Duration(got.Requests)
		f.memory = treeMemory(pid)
	}
	return f, nil
}

// send runs a load in a process of its own.
func (c *contest) send(ctx context.Context, l loop.Load, cpu int) (loop.Result, error) {
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

// of returns the median of something over the rounds; 0 where nothing was measured.
func (c *contest) of(scenario, name string, what func(figure) float64) float64 {
	var list []float64
	for _, f := range c.figures[scenario][name] {
		list = append(list, what(f))
	}
	if len(list) == 0 {
		return 0
	}
	return median(list)
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
		row := []string{one.name, "–"}
		used := c.of(scenario, one.name, processorOf)
		if used > 0 {
			low, high := c.spread(scenario, one.name)
			row[1] = fmt.Sprintf("%.1f (%.1f to %.1f)", used, low, high)
		}
		for _, base := range bases {
			row = append(row, ratioText(used, c.of(scenario, base, processorOf)))
		}
		s.rows = append(s.rows, append(row,
			fmt.Sprintf("%.0f", c.of(scenario, one.name, rateOf)), fmt.Sprintf("%.0f", c.of(scenario, one.name, p50Of)),
			fmt.Sprintf("%.0f", c.of(scenario, one.name, p99Of)), fmt.Sprintf("%.0f", c.of(scenario, one.name, memoryOf)), c.failed(scenario, one.name)))
	}
	return s
}

// spread returns the least and the most processor time of the rounds.
func (c *contest) spread(scenario, name string) (low, high float64) {
	for i, f := range c.figures[scenario][name] {
		us := processorOf(f)
		if i == 0 {
			low, high = us, us
		}
		low, high = min(low, us), max(high, us)
	}
	return low, high
}

func ratioText(a, b float64) string {
	if a == 0 || b == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", a/b)
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
