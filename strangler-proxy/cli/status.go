package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/yamldoc"
)

// call asks the admin address of a running proxy. 422 is an answer too: a rejected file.
func call(ctx context.Context, method, address, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusUnprocessableEntity {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		return fmt.Errorf("%s %s answered %s: %s", method, path, res.Status, strings.TrimSpace(string(text)))
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

// adminAddress is the address of the proxy that follows the configuration file.
// A file that is bad elsewhere still says it.
func (t *tool) adminAddress() string {
	source, err := yamldoc.ReadFile(t.config)
	if err != nil {
		return config.DefaultAdmin
	}
	if cfg, _, err := config.Parse(t.config, source, config.Options{LookupEnv: t.lookup, AllowUnset: true}); err == nil && cfg.Admin != "" {
		return cfg.Admin
	}
	if doc, err := yamldoc.Parse(t.config, source); err == nil {
		if n := doc.Root.Get("admin").Get("listen"); n != nil && config.IsLoopback(n.Text) {
			return n.Text
		}
	}
	return config.DefaultAdmin
}

// proxyState is how a running proxy took a change.
type proxyState struct{ word, text string }

// askToFollow makes a running proxy read its file now and says how that went.
func (t *tool) askToFollow(cmd *cobra.Command, hash string) proxyState {
	address := t.adminAddress()
	var now admin.Config
	err := call(cmd.Context(), http.MethodPost, address, "/-/reload", &now)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return proxyState{"absent", "No proxy answers at " + address + "; the next one to start will use it."}
	case err != nil:
		return proxyState{"absent", fmt.Sprintf("The proxy at %s did not say that it follows: %v", address, err)}
	case now.State == "rejected":
		return proxyState{"rejected", "The proxy at " + address + " rejects the file: " + strings.Join(now.Errors, "; ")}
	case now.Hash != hash:
		return proxyState{"absent", "The proxy at " + address + " follows another file (" + now.Path + ")."}
	}
	return proxyState{"active", fmt.Sprintf("The proxy at %s follows (configuration %d).", address, now.Version)}
}

func (t *tool) statusCommand() *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what a running proxy does",
		Long:  "Ask a running proxy for its configuration, its routes and who answered their requests since it\nstarted. Exit code 1 when its configuration file is rejected, 3 when no proxy answers.",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			at := address
			if at == "" {
				at = t.adminAddress()
			}
			var st admin.Status
			if err := call(cmd.Context(), http.MethodGet, at, "/status", &st); err != nil {
				return program.Fail(program.Unreachable, "start it with "+t.command("proxy")+", or name its admin address with --admin", "no proxy answers at %s: %w", at, err)
			}
			if t.json() {
				if err := printJSON(cmd, st); err != nil {
					return err
				}
			} else if err := printStatus(cmd, st); err != nil {
				return err
			}
			if st.Config.State == "rejected" {
				return program.Fail(program.Differs, "the last good configuration stays in use", "%s is rejected", st.Config.Path)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "admin", "", "the proxy's admin address, instead of the one in the configuration")
	return cmd
}

func printStatus(cmd *cobra.Command, st admin.Status) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "proxy     http://%s -> %s\n", st.Listen, strings.Join(st.Monolith.URLs, ", "))
	source := "without a file"
	if st.Config.Path != "" {
		source = st.Config.Path
	}
	fmt.Fprintf(out, "config    %s, version %d, %s\n", source, st.Config.Version, st.Config.State)
	for _, e := range st.Config.Errors {
		fmt.Fprintf(out, "          %s\n", e)
	}
	if len(st.Config.NeedsStart) > 0 {
		fmt.Fprintf(out, "          takes effect at the next start: %s\n", strings.Join(st.Config.NeedsStart, ", "))
	}
	for _, s := range st.Services {
		fmt.Fprintf(out, "service   %s %s%s\n", s.Name, strings.Join(s.URLs, ", "), condition(s))
	}
	fmt.Fprintln(out)
	rows := [][]string{}
	for _, r := range st.Routes {
		rows = append(rows, append([]string{r.Name, r.Match, r.Stage}, figures(r.Counters)...))
	}
	rows = append(rows, append([]string{"(no route)", "", "monolith"}, figures(st.Default)...))
	if err := table(cmd, []string{"ROUTE", "MATCH", "STAGE", "MONOLITH", "SERVICE", "FALLBACKS", "FAILED"}, rows); err != nil {
		return err
	}
	printCopies(out, st.Routes)
	steps(cmd, st.Next)
	return nil
}

func figures(c admin.Counters) []string {
	var texts []string
	for _, n := range []uint64{c.Monolith, c.Service, c.Fallbacks, c.Failed} {
		texts = append(texts, strconv.FormatUint(n, 10))
	}
	return texts
}

// condition says what is wrong with a service, or nothing.
func condition(s admin.Upstream) string {
	text := ""
	for _, i := range s.Instances {
		if i.State != "well" {
			text += "  " + i.URL + " " + i.State
		}
	}
	b := s.Breaker
	switch {
	case b == nil || b.State == "closed":
		return text
	case b.State == "ramping":
		return text + fmt.Sprintf("  breaker ramping: %.0f %% of the requests", 100*b.Share)
	}
	return text + fmt.Sprintf("  breaker %s since %s: the monolith answers", b.State, b.Since.Format(time.TimeOnly))
}
