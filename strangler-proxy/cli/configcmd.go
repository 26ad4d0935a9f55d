package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/exchange"
	"github.com/stranglerfig/toolkit/strangler-proxy/listen"
	"github.com/stranglerfig/toolkit/strangler-proxy/promote"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
	"github.com/stranglerfig/toolkit/strangler-proxy/upstream"
)

func (t *tool) configCommand() *cobra.Command {
	cmd := newGroup("config", "Check and show the configuration")
	cmd.AddCommand(t.configCheck(), t.configShow(), t.configDiff(), configSchema(), t.configExport())
	return cmd
}

// readStrict parses the file as the proxy would, with every variable set.
func (t *tool) readStrict() (*config.Config, error) {
	source, err := yamldoc.ReadFile(t.config)
	if err != nil {
		return nil, program.Fail(program.Usage, "name the file with --config", "configuration: %w", err)
	}
	owners, err := splits.Read(t.config)
	if err != nil {
		return nil, err
	}
	cfg, _, err := config.Parse(t.config, source, config.Options{LookupEnv: t.lookup, Owned: owners.Owned})
	if err != nil {
		return nil, &program.Error{Code: program.Usage, Err: err}
	}
	return cfg, nil
}

func (t *tool) configCheck() *cobra.Command {
	var connect bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report everything that is wrong with the file",
		Long:  "Check the configuration file as the proxy does and report all problems at once, each with line\nand column. Exit code 2 when there are any. A failing test of the file is a warning; what has been left\nlying, such as a canary that has not moved for 14 days, is advice. --connect also reads\nthe certificates and asks the monolith and the services.",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := t.readStrict()
			if err != nil {
				return err
			}
			tests := reportOf(cfg).Failed
			advice := t.advice(cfg)
			var failed []string
			if connect {
				failed = probe(cmd.Context(), cfg)
			}
			if t.json() {
				err := printJSON(cmd, map[string]any{
					"schema": 1, "file": t.config, "hash": cfg.Hash, "routes": len(cfg.Routes), "services": len(cfg.Services),
					"failed_tests": tests, "unreachable": nonNil(failed), "advice": advice, "next_steps": []string{t.command("proxy")},
				})
				if err != nil {
					return err
				}
			} else {
				fmt.Fprintln(cmd.OutOrStdout(), summary(cfg))
			}
			for _, f := range tests {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", f)
			}
			for _, a := range advice {
				fmt.Fprintf(cmd.ErrOrStderr(), "advice: %s: %s\n", a.Text, a.Remedy)
			}
			if len(failed) > 0 {
				return program.Fail(program.Unreachable, "start what is missing, or mend its url or its files", "%s", strings.Join(failed, "; "))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&connect, "connect", false, "also read the certificates and ask the monolith and the services")
	return cmd
}

// advice is what has been left lying, as far as the audit log knows.
func (t *tool) advice(cfg *config.Config) []promote.Advice {
	history, err := t.file().History()
	if err != nil {
		history = nil // a check of the file needs no log
	}
	return promote.Advise(time.Now(), cfg.Places(), cfg.IdleServices(), history)
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func summary(cfg *config.Config) string {
	stages := map[string]int{}
	for _, r := range cfg.Routes {
		stages[r.Stage.Word()]++
	}
	text := fmt.Sprintf("%s is good: %s, %s", cfg.Name, count(len(cfg.Routes), "route"), count(len(cfg.Services), "service"))
	var parts []string
	for _, s := range route.StageWords() {
		if stages[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", stages[s], s))
		}
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}

// probe reads the certificates, asks every instance, and returns what failed.
func probe(ctx context.Context, cfg *config.Config) []string {
	var failed []string
	if _, err := listen.LoadCertificates(cfg.Front.TLS); err != nil {
		failed = append(failed, "tls: "+err.Error())
	}
	for _, u := range append([]config.Upstream{cfg.Monolith}, cfg.Services...) {
		for i, address := range u.URLs {
			ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
			err := upstream.Probe(ctx, &exchange.Target{Name: u.Name, URLs: u.URLs}, i, u.Health)
			cancel()
			if err != nil {
				failed = append(failed, fmt.Sprintf("%s at %s: %v", u.Name, address, err))
			}
		}
	}
	return failed
}

func (t *tool) configShow() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show the configuration with every default filled in", Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := t.readStrict()
			if err != nil {
				return err
			}
			if t.json() {
				return printJSON(cmd, effective(cfg))
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), effectiveYAML(cfg))
			return err
		},
	}
}

func effective(cfg *config.Config) map[string]any {
	services, routes := map[string]any{}, map[string]any{}
	for _, s := range cfg.Services {
		services[s.Name] = map[string]any{"url": texts(s), "health": s.Health, "timeout": s.Timeout.String(), "try_timeout": s.Try.String(), "breaker": breakerValue(s), "slow_start": s.SlowStart.String(), "sandbox": s.Sandbox}
	}
	for _, r := range cfg.Routes {
		view := map[string]any{"match": matchView(r.Match), "to": r.Service, "stage": r.Stage, "shadow": shadowValue(r.Shadow), "compare": compareValue(r.Compare)}
		routes[r.Name] = addTroubles(addStages(view, r), &r)
	}
	return addSteering(map[string]any{
		"schema": 1, "version": 1, "listen": cfg.Listen,
		"tls": tlsValue(cfg), "h2c": cfg.Front.H2C, "marks": cfg.Marks.Text(), "limits": limitsValue(cfg.Front.Limits), "trusted_proxies": trustedTexts(cfg),
		"monolith":  map[string]any{"url": cfg.Monolith.URLs[0].String(), "timeout": cfg.Monolith.Timeout.String()},
		"discovery": discoveryValue(cfg), "log": logValue(cfg), "tracing": tracingValue(cfg), "services": services,
		"groups": groupsValue(cfg), "routes": routes, "force": forceValue(cfg), "tests": testTexts(cfg),
		"defaults": map[string]any{"fallback": map[string]any{"on": cfg.Fallback.Words(), "twice": cfg.Fallback.Methods(), "max": cfg.Fallback.Max.String()}, "retry": retryValue(&cfg.Retry), "deadline": cfg.Waits.Deadline.String(), "shadow": shadowValue(cfg.Shadow), "sticky": stickyTexts(cfg.Sticky)},
	}, cfg)
}

func breakerValue(u config.Upstream) any {
	s := u.Breaker
	if s == nil {
		return "off"
	}
	return map[string]any{"open_at": fmt.Sprintf("%d of %d", s.Failures, s.Window), "wait": s.Wait.String(), "probes": s.Probes, "ramp": s.Ramp.String()}
}

func testTexts(cfg *config.Config) []string {
	all := []string{}
	for _, t := range cfg.Tests {
		all = append(all, t.Text)
	}
	return all
}

func texts(u config.Upstream) []string {
	var all []string
	for _, target := range u.URLs {
		all = append(all, target.String())
	}
	return all
}

// effectiveYAML writes the configuration in the file's own form.
func effectiveYAML(cfg *config.Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nlisten: %s\n%s%s", cfg.Listen, frontYAML(cfg), steeringYAML(cfg))
	fmt.Fprintf(&b, "monolith: { url: %s, timeout: %s }\n", cfg.Monolith.URLs[0], cfg.Monolith.Timeout)
	fmt.Fprintf(&b, "defaults:\n  fallback: { on: [%s], twice: [%s], max: %s }\n  retry: %s\n  shadow: %s\n  sticky: %s\n", strings.Join(cfg.Fallback.Words(), ", "), strings.Join(cfg.Fallback.Methods(), ", "), cfg.Fallback.Max, cfg.Retry.Text(), config.ShadowText(cfg.Shadow), config.StickyText(cfg.Sticky))
	if d := cfg.Waits.Deadline; d > 0 {
		fmt.Fprintf(&b, "  deadline: %s\n", d)
	}
	fmt.Fprintf(&b, "discovery: %s\nlog: %s\ntracing: %s\n", cfg.DiscoveryText(), cfg.LogText(), cfg.TracingText())
	fmt.Fprint(&b, "services:\n")
	for _, s := range cfg.Services {
		fmt.Fprintf(&b, "  %s: { url: [%s], timeout: %s", s.Name, strings.Join(texts(s), ", "), s.Timeout)
		if s.Try > 0 {
			fmt.Fprintf(&b, ", try_timeout: %s", s.Try)
		}
		if s.Health != "" {
			fmt.Fprintf(&b, ", health: { path: %q, interval: %s, timeout: %s }", s.Health, s.Checks.Interval, s.Checks.Timeout)
		}
		fmt.Fprintf(&b, ", breaker: %s, slow_start: %s", s.BreakerText(), s.SlowStart)
		if s.Sandbox {
			fmt.Fprint(&b, ", sandbox: true")
		}
		fmt.Fprint(&b, " }\n")
	}
	fmt.Fprint(&b, stagesYAML(cfg)+"routes:\n")
	for _, r := range cfg.Routes {
		fmt.Fprintf(&b, "  %s: { match: %s, ", r.Name, matchYAML(r.Match))
		if r.Service != "" {
			fmt.Fprintf(&b, "to: %s, ", r.Service)
		}
		fmt.Fprintf(&b, "%stimeout: %s%s%s }\n", stageYAML(cfg, r), r.Timeout, troublesYAML(cfg, &r), copiesYAML(cfg, r))
	}
	if len(cfg.Tests) > 0 {
		fmt.Fprint(&b, "tests:\n")
	}
	for _, text := range testTexts(cfg) {
		fmt.Fprintf(&b, "  - %q\n", text)
	}
	return b.String()
}
