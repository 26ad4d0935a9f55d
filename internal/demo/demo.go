// Package demo runs the shop on one machine as a newcomer should meet it: the
// monolith, the services that left it and the strangler proxy, each a process of its
// own with its own log and database, all in one folder.
//
// It starts all of them or none, stops every process it started, and goes on with
// the same data the next time. It restarts nothing by itself: who kills the service
// wants to see what the proxy does about it.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/stranglerfig/toolkit/internal/program"
)

// The programs of the demo, in the order in which they are started.
const (
	Monolith        = "monolith"
	Recommendations = "recommendations"
	Reviews         = "reviews"
	Catalog         = "catalog"
	Proxy           = "proxy"
)

// Options tune a demo. The zero value runs it in var/demo on the default ports.
type Options struct {
	Dir             string    // everything that is written goes here; "" means var/demo
	Bin             string    // the folder of the programs; "" means that of the running one
	Scale           int       // size of the seed of a new database; 0 means 1
	Proxy           string    // host:port of the shop; "" means 127.0.0.1:8080
	Admin           string    // host:port of the proxy's admin; "" means 127.0.0.1:8081
	Monolith        string    // host:port; "" means 127.0.0.1:9000
	Recommendations string    // host:port; "" means 127.0.0.1:9002
	Reviews         string    // host:port; "" means 127.0.0.1:9003
	Catalog         string    // host:port; "" means 127.0.0.1:9004
	Detached        bool      // the texts name "demo stop" instead of Ctrl-C
	Out             io.Writer // nil discards
}

func (o Options) withDefaults() (Options, error) {
	o.Dir = cmp.Or(o.Dir, filepath.Join("var", "demo"))
	o.Scale = cmp.Or(o.Scale, 1)
	o.Proxy = cmp.Or(o.Proxy, "127.0.0.1:8080")
	o.Admin = cmp.Or(o.Admin, "127.0.0.1:8081")
	o.Monolith = cmp.Or(o.Monolith, "127.0.0.1:9000")
	o.Recommendations = cmp.Or(o.Recommendations, "127.0.0.1:9002")
	o.Reviews = cmp.Or(o.Reviews, "127.0.0.1:9003")
	o.Catalog = cmp.Or(o.Catalog, "127.0.0.1:9004")
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Scale != 1 && o.Scale != 100 {
		return o, program.Fail(program.Usage, "use 1 (200 products) or 100", "--scale %d is no size of the seed", o.Scale)
	}
	if o.Bin == "" {
		self, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("find the programs: %w", err)
		}
		o.Bin = filepath.Dir(self)
	}
	for _, name := range []string{"monolith", "recommendations", "reviews", "catalog", "strangler"} {
		if _, err := os.Stat(filepath.Join(o.Bin, name)); err != nil {
			return o, program.Fail(program.Usage, `run "make build" first`, "the program %s is not in %s", name, o.Bin)
		}
	}
	return o, o.checkAddresses()
}

func (o Options) addresses() []struct{ flag, addr string } {
	return []struct{ flag, addr string }{
		{"proxy", o.Proxy},
		{"admin", o.Admin},
		{"monolith", o.Monolith},
		{"recommendations", o.Recommendations},
		{"reviews", o.Reviews},
		{"catalog", o.Catalog},
	}
}

func (o Options) checkAddresses() error {
	used := map[string]string{}
	for _, a := range o.addresses() {
		_, port, err := net.SplitHostPort(a.addr)
		if err != nil || port == "" || port == "0" {
			return program.Fail(program.Usage, "give it as host:port, such as 127.0.0.1:8080", "--%s %q is no address to listen on", a.flag, a.addr)
		}
		if other, ok := used[a.addr]; ok {
			return program.Fail(program.Usage, "give each its own port", "--%s and --%s are both %s", other, a.flag, a.addr)
		}
		used[a.addr] = a.flag
	}
	return nil
}

// checkPorts finds a port in use before anything is started or written.
func (o Options) checkPorts(ctx context.Context) error {
	for _, a := range o.addresses() {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.addr)
		if err != nil {
			cause := program.Listen(a.addr, err)
			var known *program.Error
			if errors.As(cause, &known) {
				known.Remedy += fmt.Sprintf(" with --%s", a.flag)
			}
			return fmt.Errorf("%s: %w", a.flag, cause)
		}
		listener.Close()
	}
	return nil
}

// programs returns the processes of the demo, not started yet.
func (o Options) programs() []*process {
	programs := []*process{o.monolith(), o.service(Recommendations, o.Recommendations)}
	if o.Reviews != "" { // a demo that an earlier version started has none
		programs = append(programs, o.service(Reviews, o.Reviews))
	}
	if o.Catalog != "" {
		programs = append(programs, o.service(Catalog, o.Catalog))
	}
	return append(programs, o.proxy())
}

func (o Options) file(name string) string { return filepath.Join(o.Dir, name) }

// fillLimit is how long a program may take to fill a new database.
func (o Options) fillLimit() time.Duration {
	return time.Minute + time.Duration(o.Scale)*5*time.Second
}

func (o Options) monolith() *process {
	return &process{
		name: Monolith, path: filepath.Join(o.Bin, "monolith"), dir: o.Dir,
		args: []string{
			"serve", "--addr", o.Monolith, "--db", o.file("monolith.db"),
			"--notifications", o.file("notifications.jsonl"), "--seed-scale", fmt.Sprint(o.Scale), "--log-format", "json",
			"--reviews", "http://" + cmp.Or(o.Reviews, "127.0.0.1:9003"),
		},
		health: "http://" + o.Monolith + "/healthz",
		limit:  o.fillLimit(),
	}
}

// service returns the process of an extracted service, which is ready once it has a
// copy of what it needs of the monolith's data.
func (o Options) service(name, addr string) *process {
	return &process{
		name: name, path: filepath.Join(o.Bin, name), dir: o.Dir,
		args: []string{
			"serve", "--addr", addr, "--db", o.file(name + ".db"),
			"--monolith", "http://" + o.Monolith, "--log-format", "json",
		},
		health: "http://" + addr + "/readyz",
		limit:  o.fillLimit(),
	}
}

func (o Options) proxy() *process {
	return &process{
		name: Proxy, path: filepath.Join(o.Bin, "strangler"), dir: o.Dir,
		args: []string{
			"proxy", "--config", o.file(configName), "--listen", o.Proxy, "--admin", o.Admin, "--log-format", "json",
		},
		health: "http://" + o.Admin + "/healthz",
		limit:  time.Minute,
	}
}
