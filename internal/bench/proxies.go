package main

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/internal/bench/loop"
)

// countingTime is long enough that what a connection costs once does not count.
const countingTime = 2 * time.Second

// A report is what the measurements of the proxy gave, for the table of goals.
type report struct {
	main    *contest // all proxies, all scenarios
	shared  *contest // one connection, everything on one processor
	ours    *contest // our proxy in different ways
	copies  *contest // without and with shadow copies
	secure  *contest // HTTP/2 and TLS
	missing []string

	calls       map[string]float64
	noCalls     map[string]string // why there are none
	idle        map[string]float64
	allocations float64
	copied      float64 // share of the requests that were copied
}

// measureProxy compares our proxy with others, and with itself in other settings.
func measureProxy(ctx context.Context, s settings) ([]section, error) {
	s.seconds, s.rounds = s.seconds/100, 5*s.rounds // the whole takes about six minutes
	if s.short {
		s.rounds = 1
	}
	c, err := newContest(ctx, s)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	r := &report{main: c, calls: map[string]float64{}, noCalls: map[string]string{}, idle: map[string]float64{}}
	usual := variant{name: oursName, routes: 500}
	starters := []func() (*contestant, error){func() (*contestant, error) { return usual.start(ctx, s, c.up) }}
	versions := []string{}
	for _, recipe := range recipes() {
		version, ok := recipe.installed(ctx)
		if !ok {
			r.missing = append(r.missing, recipe.name)
			continue
		}
		if version != "" {
			versions = append(versions, recipe.name+" "+version)
		}
		starters = append(starters, func() (*contestant, error) { return recipe.start(ctx, s, c.up) })
	}
	for _, step := range []func(context.Context, []func() (*contestant, error)) error{
		r.measureIdle, r.measureAll, r.measureShared, r.measureOurs, r.measureCopies, r.measureSecure,
	} {
		if err := step(ctx, starters); err != nil {
			return nil, err
		}
	}
	return r.sections(versions), nil
}

// measureIdle looks at each proxy right after its start.
func (r *report) measureIdle(ctx context.Context, starters []func() (*contestant, error)) error {
	for some := range slices.Chunk(starters, idleTogether) {
		if err := r.measureSomeIdle(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (r *report) measureSomeIdle(ctx context.Context, starters []func() (*contestant, error)) error {
	c := r.main.again()
	defer c.leave()
	for _, start := range starters {
		if err := c.enter(start()); err != nil {
			return err
		}
		fmt.Fprintf(c.say, "proxy: idle connections of %s\n", c.all[len(c.all)-1].name)
	}
	grown, err := idleMemory(ctx, c.all)
	maps.Copy(r.idle, grown)
	return err
}

func (r *report) measureAll(ctx context.Context, starters []func() (*contestant, error)) error {
	for _, start := range starters {
		if err := r.main.enter(start()); err != nil {
			return err
		}
	}
	if err := r.main.rounds(ctx, loadCPU, scenarios()...); err != nil {
		return err
	}
	for _, one := range r.main.all {
		fmt.Fprintf(r.main.say, "proxy: system calls of %s\n", one.name)
		calls, reason := r.main.systemCalls(ctx, one, loop.Load{Path: smallPath, Connections: 64, Duration: countingTime})
		r.calls[one.name], r.noCalls[one.name] = calls, reason
	}
	return nil
}

const sharedScenario = "1 KiB, 1 connection, all on one processor"

// measureShared puts the load and the upstream on the processor of the proxies.
func (r *report) measureShared(ctx context.Context, _ []func() (*contestant, error)) error {
	r.shared = r.main.again()
	r.shared.all = append([]*contestant{{name: "direct", addr: r.main.up}}, r.main.all...)
	pid := r.main.upstream.cmd.Process.Pid
	if err := move(pid, proxyCPU); err != nil {
		return err
	}
	if err := r.shared.rounds(ctx, proxyCPU, scenario{sharedScenario, loop.Load{Path: smallPath, Connections: 1}}); err != nil {
		return err
	}
	return move(pid, loadCPU)
}

const oursScenario = "1 KiB, 64 connections, our proxy in different ways"

const (
	ours500 = "500 routes, no access log"
	ours1   = "1 route, no access log"
	oursLog = "500 routes, access log (JSON)"
)

func (r *report) measureOurs(ctx context.Context, _ []func() (*contestant, error)) error {
	r.ours = r.main.again()
	defer r.ours.leave()
	for _, v := range []variant{{name: ours500, routes: 500}, {name: ours1, routes: 1}, {name: oursLog, routes: 500, log: true}} {
		if err := r.ours.enter(v.start(ctx, r.main.settings, r.main.up)); err != nil {
			return err
		}
	}
	if err := r.ours.rounds(ctx, loadCPU, scenario{oursScenario, loop.Load{Path: smallPath, Connections: 64}}); err != nil {
		return err
	}
	var err error
	r.allocations, err = r.ours.allocations(ctx, r.ours.all[1], loop.Load{Path: smallPath, Connections: 64, Duration: countingTime})
	return err
}

const (
	copiesRate     = 3000 // requests a second: what a proxy with copies does at ease
	copiesScenario = "1 KiB, 3,000 requests a second, without and with shadow copies"
	noCopies       = "shadow 0 %"
	allCopies      = "shadow 100 %"
)

func (r *report) measureCopies(ctx context.Context, _ []func() (*contestant, error)) error {
	r.copies = r.main.again()
	defer r.copies.leave()
	for _, v := range []variant{
		{name: noCopies, routes: 500, stage: "shadow"},
		{name: allCopies, routes: 500, stage: "shadow", shadow: 100},
	} {
		if err := r.copies.enter(v.start(ctx, r.main.settings, r.main.up)); err != nil {
			return err
		}
	}
	if err := r.copies.rounds(ctx, loadCPU, scenario{copiesScenario, loop.Load{Path: smallPath, Connections: 64, Rate: copiesRate}}); err != nil {
		return err
	}
	sent, err := r.copies.all[1].metric(ctx, "strangler_shadow_sent_total")
	if err != nil {
		return err
	}
	eligible, err := r.copies.all[1].metric(ctx, "strangler_shadow_eligible_total")
	r.copied = sent / max(1, eligible)
	return err
}

const secureScenario = "1 KiB, HTTP/2 with TLS, 64 streams on 4 connections"

func (r *report) measureSecure(ctx context.Context, _ []func() (*contestant, error)) error {
	r.secure = r.main.again()
	defer r.secure.leave()
	r.secure.sent = "load2"
	cert, key, err := certificate()
	if err != nil {
		return err
	}
	v := variant{name: oursName, routes: 500}
	if v.tls, err = writeCertificate(r.main.dir, cert, key); err != nil {
		return err
	}
	if err := r.secure.enter(v.start(ctx, r.main.settings, r.main.up)); err != nil {
		return err
	}
	caddy := recipe{
		name: caddyName, program: "caddy", tls: true, args: []string{"run", "--adapter", "caddyfile", "--config", "{dir}/Caddyfile"},
		files: map[string]string{"Caddyfile": caddyTLSConf, "cert.pem": string(cert), "key.pem": string(key)},
	}
	if _, err := exec.LookPath(caddy.program); err == nil {
		if err := r.secure.enter(caddy.start(ctx, r.main.settings, r.main.up)); err != nil {
			return err
		}
	}
	return r.secure.rounds(ctx, loadCPU, scenario{secureScenario, loop.Load{Path: smallPath, Connections: 64}})
}

// sections are the tables, the goals first.
func (r *report) sections(versions []string) []section {
	missing := ""
	if len(r.missing) > 0 {
		missing = " Not measured, because it is not installed: " + strings.Join(r.missing, ", ") + "."
	}
	list := []section{r.goals()}
	list[0].text = fmt.Sprintf("The proxy has one processor for itself; load and upstream share another. Connections are kept on both sides, a request has about 430 bytes "+
		"of headers. A load warms up for %s and counts for %s; then comes the next proxy, in another order in each of %d rounds. A figure is the median of the rounds, "+
		"a ratio the median of the ratios within the rounds, with the middle half of them in brackets. Ours routes over 500 routes with everything on that is on "+
		"by default, without access log and copies unless said. Beside it: %s.%s%s", warm, r.main.seconds, r.main.settings.rounds, strings.Join(versions, ", "), missing, r.floor())
	for _, sc := range scenarios() {
		list = append(list, r.main.table(sc.name, nginxName, relayName))
	}
	list = append(list, r.shared.table(sharedScenario, nginxName), r.ours.table(oursScenario, ours500), r.copies.table(copiesScenario, noCopies))
	list[len(list)-1].text = fmt.Sprintf("Latency counts from when a request is due. %.0f %% of the requests were copied and compared; the others found the queue full.", 100*r.copied)
	list = append(list, r.secure.table(secureScenario, caddyName))
	other := section{title: "Idle connections and system calls", header: []string{"proxy", "bytes of memory for an idle connection", "system calls a request, 64 connections"}}
	other.text = fmt.Sprintf("What a proxy grows by for each of %d connections that made one request and have rested for %s, with %d open before that have rested, too; calls are counted by strace, which slows everything down.", idleConnections, settle, warmConnections)
	for _, one := range r.main.all {
		calls := fmt.Sprintf("%.2f", r.calls[one.name])
		if reason := r.noCalls[one.name]; reason != "" {
			calls = "not measured: " + reason
		}
		other.rows = append(other.rows, []string{one.name, fmt.Sprintf("%.0f", r.idle[one.name]), calls})
	}
	return append(list, other)
}
