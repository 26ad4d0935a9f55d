package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	strangler "github.com/stranglerfig/toolkit/strangler-proxy"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/handover"
)

type proxyFlags struct {
	from, to            string
	listen, admin       string
	logFormat, logLevel string
	accessLog           bool
	handover            string
	drain               time.Duration
}

func (t *tool) proxyCommand() *cobra.Command {
	var f proxyFlags
	cmd := &cobra.Command{
		Use:   "proxy",
		Short: "Run the proxy in front of the monolith",
		Long: "Run the proxy in front of the monolith. It follows its configuration file: a change takes\n" +
			"effect within a second, without a failed request; a bad file is reported and the last good\n" +
			"one stays in use. SIGHUP reads the file at once and opens the access log again, SIGTERM stops after the requests in flight.\n\n" +
			"With --handover FILE, starting the proxy again in the same way replaces the running one without\n" +
			"a refused connection: it takes the open sockets over, and the other ends once it serves.\n\n" +
			"With --from and --to it runs without a file and sends everything to one place.",
		Example: "  strangler proxy --config strangler.yaml\n" +
			"  strangler proxy --from 127.0.0.1:8080 --to http://127.0.0.1:9000",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return t.runProxy(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "listen here, without a configuration file (with --to)")
	flags.StringVar(&f.to, "to", "", "url of the monolith, without a configuration file")
	flags.StringVar(&f.listen, "listen", "", "listen here instead of where the configuration says")
	flags.StringVar(&f.admin, "admin", "", "serve health, metrics and status here instead of where the configuration says")
	flags.StringVar(&f.logFormat, "log-format", "auto", "text, json, or auto: text on a terminal")
	flags.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.BoolVar(&f.accessLog, "access-log", true, "log a line for each request, as log in the configuration says; false means none")
	flags.StringVar(&f.handover, "handover", "", "socket file where the next process takes over from this one")
	flags.DurationVar(&f.drain, "drain", 10*time.Second, "how long requests in flight may go on after SIGTERM")
	return cmd
}

func (t *tool) runProxy(cmd *cobra.Command, f proxyFlags) error {
	log, err := program.Logger(cmd.ErrOrStderr(), f.logFormat, f.logLevel)
	if err != nil {
		return err
	}
	opts := strangler.Options{
		ConfigPath: t.config, Listen: f.listen, Admin: f.admin, LookupEnv: t.lookup,
		Version: program.Version(t.name), Log: log, AccessLog: f.accessLog, AccessOut: cmd.ErrOrStderr(), AccessText: program.LogsText(cmd.ErrOrStderr(), f.logFormat), DrainLimit: f.drain, Handover: f.handover,
	}
	if opts.Listeners, err = handover.Inherited(t.lookup); err != nil {
		return program.Fail(program.Usage, "mend the unit of the socket", "%w", err)
	}
	if f.from != "" || f.to != "" {
		if opts.Config, err = withoutFile(cmd, f); err != nil {
			return err
		}
		opts.ConfigPath = ""
	} else if err := t.mustExist(); err != nil {
		return err
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP) // before anybody can know that we are here
	defer signal.Stop(hangups)
	p, err := strangler.New(cmd.Context(), opts)
	if err != nil {
		return err
	}
	t.announce(cmd, p)
	log.Info("listening", "listen", p.Addr().String(), "admin", p.AdminAddr().String())
	defer reloadOn(cmd.Context(), hangups, p, log)()
	return p.Run(cmd.Context())
}

func withoutFile(cmd *cobra.Command, f proxyFlags) (*config.Config, error) {
	switch {
	case cmd.Flags().Changed("config"):
		return nil, program.Fail(program.Usage, "leave one of them out", "--config and --from/--to exclude each other")
	case f.to == "":
		return nil, program.Fail(program.Usage, "add --to http://HOST:PORT", "--from needs --to")
	}
	from := f.from
	if from == "" {
		from = config.DefaultListen
	}
	cfg, err := config.Single(from, config.DefaultAdmin, f.to)
	if err != nil {
		return nil, program.Fail(program.Usage, "", "--to: %w", err)
	}
	return cfg, nil
}

// mustExist explains a missing file: there are no defaults that could stand in for it.
func (t *tool) mustExist() error {
	if _, err := os.Stat(t.config); err != nil {
		return program.Fail(program.Usage, "write one, name another with --config, or run without one: --to http://HOST:PORT", "configuration: %w", err)
	}
	return nil
}

func (t *tool) announce(cmd *cobra.Command, p *strangler.Proxy) {
	out, st := cmd.OutOrStdout(), p.Status()
	live := 0
	for _, r := range st.Routes {
		if r.Stage != "monolith" {
			live++
		}
	}
	source := "no configuration file"
	if st.Config.Path != "" {
		source = st.Config.Path
	}
	fmt.Fprintf(out, "proxy     http://%s -> %s\n", st.Listen, strings.Join(st.Monolith.URLs, ", "))
	fmt.Fprintf(out, "admin     http://%s/status\n", st.Admin)
	fmt.Fprintf(out, "routes    %d, %d of them away from the monolith (%s)\n", len(st.Routes), live, source)
}

func reloadOn(ctx context.Context, hangups <-chan os.Signal, p *strangler.Proxy, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
				if err := p.ReopenLogs(); err != nil {
					log.Error("the access log stays where it was", "err", err)
				}
				_ = p.Reload() // the proxy logs what is wrong
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
