package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/internal/bench/loop"
)

// How many connections are opened to see what one costs: enough that it does not matter
// when a collector of garbage last ran.
const (
	warmConnections = 1000
	idleConnections = 5000
	idleTogether    = 3 // proxies that are looked at together: this program has all their connections
)

// settle is how long connections have nothing to do before memory is looked at: some
// proxies give back later what was needed for a moment.
const settle = 6 * time.Second

// idleMemory returns how many bytes each proxy grows for each connection that made one
// request and then waits for the next. Some are open before: they use up what memory
// was left over from the start.
func idleMemory(ctx context.Context, all []*contestant) (map[string]float64, error) {
	before, after := map[string]int64{}, map[string]int64{}
	for _, step := range []struct {
		connections int
		memory      map[string]int64
	}{{warmConnections, before}, {idleConnections, after}} {
		for _, one := range all {
			conns, err := one.open(ctx, step.connections)
			defer closeAll(conns) // all stay open until the end
			if err != nil {
				return nil, err
			}
		}
		time.Sleep(settle)
		for _, one := range all {
			step.memory[one.name] = treeMemory(one.process.cmd.Process.Pid)
		}
	}
	grown := map[string]float64{}
	for name := range after {
		grown[name] = float64(after[name]-before[name]) / idleConnections
	}
	return grown, nil
}

// open opens connections, each of which makes one request.
func (c *contestant) open(ctx context.Context, n int) ([]net.Conn, error) {
	var list []net.Conn
	for range n {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.addr)
		if err == nil {
			list = append(list, conn)
			err = c.askOnce(conn)
		}
		if err != nil {
			return list, fmt.Errorf("connection %d to %s: %w", len(list), c.name, err)
		}
	}
	return list, nil
}

func (c *contestant) askOnce(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // the read fails then, too
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", smallPath, c.addr); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		if line == "\r\n" {
			_, err := io.CopyN(io.Discard, in, 1024)
			return err
		}
	}
}

func closeAll(conns []net.Conn) {
	for _, conn := range conns {
		conn.Close()
	}
}

// systemCalls counts the calls of the system that a proxy makes for a request. The
// reason says why it could not.
func (c *contest) systemCalls(ctx context.Context, one *contestant, l loop.Load) (calls float64, reason string) {
	path, err := exec.LookPath("strace")
	if err != nil {
		return 0, "strace is not installed"
	}
	args := []string{"-f", "-c", "-U", "calls,name"}
	for _, pid := range tree(one.process.cmd.Process.Pid) {
		args = append(args, "-p", strconv.Itoa(pid))
	}
	cmd := exec.Command(path, args...) //nolint:noctx // it is ended below, so that it lets go of the process
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return 0, err.Error()
	}
	lines := bufio.NewScanner(said)
	attached := lines.Scan() && strings.Contains(lines.Text(), "attached")
	first := lines.Text()
	var got loop.Result
	if attached {
		l.Addr = one.addr
		got, err = c.send(ctx, watchedLoad{Load: l}, loadCPU)
	}
	cmd.Process.Signal(syscall.SIGINT) //nolint:errcheck // it may have ended already
	total := 0.0
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 2 && f[1] == "total" {
			total, _ = strconv.ParseFloat(f[0], 64) //nolint:errcheck // then it is 0
		}
	}
	cmd.Wait() //nolint:errcheck // it was interrupted
	switch {
	case !attached:
		return 0, "strace: " + first
	case err != nil:
		return 0, err.Error()
	case got.Requests == 0 || total == 0:
		return 0, "strace counted nothing"
	}
	return total / float64(got.Requests), ""
}

// allocations counts what our proxy allocates for a request: by how much more a long load
// takes than a short one, each without what as long a rest takes. What connections and
// asking for the counter take is in both, and what is done every second, such as the look
// at the file, in the rest.
//
// Asking for the counter makes some hundred objects more or less, so the long load is much
// the longer one.
func (c *contest) allocations(ctx context.Context, one *contestant, l loop.Load) (float64, error) {
	const longer = 8
	l.Addr = one.addr
	if _, err := c.send(ctx, watchedLoad{Load: l}, loadCPU); err != nil { // whatever is made once has been made
		return 0, err
	}
	var made, requests [2]float64
	for i := range made {
		resting, err := one.allocated(ctx, func() error { time.Sleep(l.Duration); return nil })
		if err != nil {
			return 0, err
		}
		var got loop.Result
		loaded, err := one.allocated(ctx, func() (err error) {
			got, err = c.send(ctx, watchedLoad{Load: l}, loadCPU)
			return err
		})
		if err != nil {
			return 0, err
		}
		made[i], requests[i] = loaded-resting, float64(got.Requests)
		l.Duration *= longer
	}
	if requests[1] <= requests[0] {
		return 0, fmt.Errorf("a load of %d times the time had no more requests: %.0f and %.0f", longer, requests[0], requests[1])
	}
	return max(0, made[1]-made[0]) / (requests[1] - requests[0]), nil
}

// allocated is how many objects the proxy allocates meanwhile, and for being asked.
func (c *contestant) allocated(ctx context.Context, meanwhile func() error) (float64, error) {
	const counter = "go_memstats_mallocs_total"
	before, err := c.metric(ctx, counter)
	if err != nil {
		return 0, err
	}
	if err := meanwhile(); err != nil {
		return 0, err
	}
	after, err := c.metric(ctx, counter)
	return after - before, err
}
