package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/stranglerfig/toolkit/internal/instant"
	"github.com/stranglerfig/toolkit/internal/program"
)

// Run runs the demo until ctx ends, and then stops what it started. It fails,
// with everything stopped again, if a program does not get ready.
func Run(ctx context.Context, opts Options) error {
	began := time.Now()
	opts, err := opts.withDefaults()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(opts.Dir, "logs"), 0o755); err != nil {
		return program.Fail(program.Usage, "give a folder that can be written with --dir", "make the demo's folder: %w", err)
	}
	held, err := lock(opts.Dir)
	if err != nil {
		return err
	}
	defer held.Close()
	st := opts.state(began)
	if err := writeState(opts.Dir, st); err != nil {
		return err
	}
	defer os.Remove(filepath.Join(opts.Dir, stateName)) //nolint:errcheck // without the lock it means nothing
	if err := opts.checkPorts(ctx); err != nil {
		return err
	}
	if err := opts.prepareConfig(); err != nil {
		return err
	}
	// The programs die with the thread that started them (see ownGroup), so this
	// goroutine keeps its thread for as long as they run.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed
	defer stop()
	s := &supervisor{opts: opts, programs: opts.programs(), ended: make(chan *process, 8)}
	err = s.run(ctx, st)
	return errors.Join(err, s.stop())
}

// A supervisor starts the programs, watches them and stops them.
type supervisor struct {
	opts     Options
	programs []*process
	ended    chan *process
}

func (s *supervisor) run(ctx context.Context, st state) error {
	restart := make(chan os.Signal, 1)
	signal.Notify(restart, startSignal)
	defer signal.Stop(restart)
	if err := s.startAll(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // asked to stop before it was ready
		}
		return err
	}
	fmt.Fprint(s.opts.Out, s.opts.welcome(), fmt.Sprintf("\nready in %.1f s\n", time.Since(st.StartedAt.Time()).Seconds()))
	st.Ready = true
	if err := writeState(s.opts.Dir, st); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-s.ended:
			fmt.Fprintf(s.opts.Out, "%s stopped (%s); start it again with: %s\n  or by hand: %s\n",
				p.name, p.cmd.ProcessState, s.opts.command("start"), p.commandLine())
		case <-restart:
			s.startStopped(ctx)
		}
	}
}

// startAll starts the programs in order. The monolith comes first, so that nothing
// that reads it has to wait for a second look.
func (s *supervisor) startAll(ctx context.Context) error {
	for _, p := range s.programs {
		if err := p.start(s.ended); err != nil {
			return err
		}
		if p.name == Monolith {
			if err := p.waitReady(ctx); err != nil {
				return err
			}
		}
	}
	for _, p := range s.programs {
		if err := p.waitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// startStopped starts again what has stopped since.
func (s *supervisor) startStopped(ctx context.Context) {
	for _, p := range s.programs {
		if p.running() {
			continue
		}
		if healthy(ctx, p.health) {
			fmt.Fprintf(s.opts.Out, "%s answers already, though this demo did not start it\n", p.name)
			continue
		}
		err := p.start(s.ended)
		if err == nil {
			err = p.waitReady(ctx)
		}
		if err != nil {
			fmt.Fprintf(s.opts.Out, "start %s: %v\n", p.name, err)
			continue
		}
		fmt.Fprintf(s.opts.Out, "%s runs again\n", p.name)
	}
}

// stop stops the programs, the last one started first.
func (s *supervisor) stop() error {
	var failed error
	var stopped []string
	for i := len(s.programs) - 1; i >= 0; i-- {
		p := s.programs[i]
		if !p.running() {
			continue
		}
		failed = errors.Join(failed, p.stop())
		stopped = append(stopped, p.name)
	}
	if len(stopped) > 0 {
		fmt.Fprintf(s.opts.Out, "stopped %s; the data stays in %s\n", strings.Join(stopped, ", "), s.opts.Dir)
	}
	return failed
}

func (o Options) state(began time.Time) state {
	return state{
		PID: os.Getpid(), StartedAt: instant.From(began), Bin: o.Bin, Scale: o.Scale,
		Proxy: o.Proxy, Admin: o.Admin, Monolith: o.Monolith, Recommendations: o.Recommendations, Reviews: o.Reviews, Catalog: o.Catalog,
	}
}

// command is what a person types for a subcommand of this demo.
func (o Options) command(name string) string {
	words := []string{relative(filepath.Join(o.Bin, "strangler")), "demo", name}
	if o.Dir != filepath.Join("var", "demo") {
		words = append(words, "--dir", o.Dir)
	}
	return shellWords(words)
}

// welcome is what a newcomer needs to know.
func (o Options) welcome() string {
	config := filepath.Join(o.Dir, configName)
	strangler := relative(filepath.Join(o.Bin, "strangler"))
	ending := "Ctrl-C stops everything; started again, the demo goes on with the same data."
	if o.Detached {
		ending = fmt.Sprintf("%q stops everything; started again, the demo goes on with the same data.", o.command("stop"))
	}
	return fmt.Sprintf(`The shop runs behind the strangler proxy.

  shop (through the proxy)   http://%[1]s
  proxy status               http://%[2]s/status
  monolith, directly         http://%[3]s
  recommendations, directly  http://%[4]s
  reviews, directly          http://%[11]s
  catalog, directly          http://%[10]s

  accounts   ada@shop.example / ada-password
             admin@shop.example / admin-password
  routes     %[5]s
  logs       %[6]s

Try this in another terminal:
  curl -si http://%[1]s/api/products/1/recommendations | grep -i x-strangler
  %[7]s route set product-recommendations live --config %[5]s
  (or change the word "monolith" to "live" in %[5]s) and curl again
  %[8]s

%[9]s
`, o.Proxy, o.Admin, o.Monolith, o.Recommendations, config, filepath.Join(o.Dir, "logs")+string(filepath.Separator), strangler, o.command("status"), ending, o.Catalog, o.Reviews)
}
