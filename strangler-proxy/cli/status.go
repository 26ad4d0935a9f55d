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
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

// call asks the admin address of a running proxy. 422 is an answer too: a rejected file.
func call(ctx context.Context, method, address, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, nil)
	if err != nil {
		return err
	}
	secret, err := tokenOf(ctx)
	if err != nil {
		return err
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusUnprocessableEntity {
		return &answeredError{res.StatusCode, fmt.Sprintf("%s %s answered %s: %s", method, path, res.Status, complaint(res.Body))}
	}
	return json.NewDecoder(res.Body).Decode(answer)
}

// An answeredError says that somebody answers at an admin address, but not what was
// asked for.
type answeredError struct {
	status int
	text   string
}

func (e *answeredError) Error() string { return e.text }

// unheard says why the proxy at an address told nothing, and what to do.
func (t *tool) unheard(address string, err error) error {
	var answered *answeredError
	switch {
	case program.Code(err) == program.Usage: // it was not even asked
		return err
	case errors.As(err, &answered) && answered.status == http.StatusUnauthorized:
		return program.Fail(program.Unreachable, "give its token with --token-file or STRANGLER_TOKEN", "the proxy at %s asks for a token: %w", address, err)
	case errors.As(err, &answered):
		return program.Fail(program.Unreachable, "see whether "+address+" is the proxy's admin address", "who answers at %s does not say: %w", address, err)
	}
	return program.Fail(program.Unreachable, "start it with "+t.command("proxy")+", or name its admin address with --admin", "no proxy answers at %s: %w", address, err)
}

// get asks the admin address of a running proxy for a page.
func (t *tool) get(ctx context.Context, address, path string, answer any) error {
	if err := call(ctx, http.MethodGet, address, path, answer); err != nil {
		return t.unheard(address, err)
	}
	return nil
}

// complaint is what an answer says is wrong.
func complaint(body io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(body, 4<<10))
	var answer struct {
		Error struct{ Message, Remedy string }
	}
	if json.Unmarshal(text, &answer) != nil || answer.Error.Message == "" {
		return strings.TrimSpace(string(text[:min(len(text), 200)]))
	}
	if answer.Error.Remedy != "" {
		return answer.Error.Message + "; " + answer.Error.Remedy
	}
	return answer.Error.Message
}

// adminAddress is the address of the proxy that follows the configuration file.
// A file that is bad elsewhere still says it.
func (t *tool) adminAddress() string {
	if t.admin != "" {
		return t.admin
	}
	source, err := yamldoc.ReadFile(t.config)
	if err != nil {
		return config.DefaultAdmin
	}
	if cfg, _, err := config.Parse(t.config, source, config.Options{LookupEnv: t.lookup, AllowUnset: true}); err == nil && cfg.Admin != "" {
		return reachable(cfg.Admin)
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

type statusFlags struct {
	admin    string
	watch    bool
	interval time.Duration
	exitCode bool
}

func (t *tool) statusCommand() *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what a running proxy does",
		Long: "Ask a running proxy for its configuration, its routes and who answered their requests since it\n" +
			"started. Exit code 1 when its configuration file is rejected, 3 when no proxy answers.\n\n" +
			"With --watch it goes on until Ctrl-C, which is exit code 0: on a terminal in place, elsewhere a line\n" +
			"each time, with -o json a line of JSON. It waits for a proxy that goes away and comes back.",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return t.status(cmd, f) },
	}
	cmd.Flags().StringVar(&f.admin, "admin", "", "the proxy's admin address, instead of the one in the configuration")
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "show it again and again")
	cmd.Flags().DurationVar(&f.interval, "interval", time.Second, "how often, with --watch")
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit with 1 also when a breaker is not closed, an instance is left out or the proxy stops")
	return cmd
}

func (t *tool) status(cmd *cobra.Command, f statusFlags) error {
	at := f.admin
	if at == "" {
		at = t.adminAddress()
	}
	if f.watch {
		return t.watch(cmd, at, f)
	}
	var st admin.Status
	if err := t.ask(cmd, at, "/status", &st); err != nil {
		return err
	}
	if t.json() {
		if err := printJSON(cmd, st); err != nil {
			return err
		}
	} else if err := printStatus(cmd.OutOrStdout(), st); err != nil {
		return err
	}
	if st.Config.State == "rejected" {
		return program.Fail(program.Differs, "the last good configuration stays in use", "%s is rejected", st.Config.Path)
	}
	if f.exitCode {
		return checkWell(st)
	}
	return nil
}

func (t *tool) watch(cmd *cobra.Command, at string, f statusFlags) error {
	const least = 100 * time.Millisecond
	switch {
	case f.exitCode:
		return program.Fail(program.Usage, "leave one of them out", "--watch and --exit-code exclude each other")
	case f.interval < least:
		return program.Fail(program.Usage, "e.g. --interval 1s", "--interval %s is less than %s", f.interval, least)
	}
	term, _ := t.lookup("TERM")
	w := watch{tool: t, cmd: cmd, address: at, interval: f.interval}
	w.screen = !t.json() && term != "dumb" && program.IsTerminal(cmd.OutOrStdout())
	return w.run(cmd.Context())
}

func printStatus(out io.Writer, st admin.Status) error {
	fmt.Fprintf(out, "proxy     http://%s -> %s\n", st.Listen, strings.Join(st.Monolith.URLs, ", "))
	source := "without a file"
	if st.Config.Path != "" {
		source = st.Config.Path
	}
	fmt.Fprintf(out, "config    %s, version %d, %s\n", source, st.Config.Version, st.Config.State)
	if st.Panic != "" {
		fmt.Fprintf(out, "panic     every route but those at done is on the monolith: %s\n", printable(st.Panic))
	}
	for _, e := range st.Config.Errors {
		fmt.Fprintf(out, "          %s\n", e)
	}
	if len(st.Config.NeedsStart) > 0 {
		fmt.Fprintf(out, "          takes effect at the next start: %s\n", strings.Join(st.Config.NeedsStart, ", "))
	}
	for _, s := range st.Services {
		fmt.Fprintf(out, "service   %s %s%s\n", s.Name, strings.Join(s.URLs, ", "), condition(s))
	}
	printSplits(out, st.Splits)
	printHolds(out, st.Holds)
	printHeld(out, st.Routes)
	fmt.Fprintln(out)
	rows := [][]string{}
	for _, r := range st.Routes {
		rows = append(rows, append([]string{r.Name, r.Match, r.Stage}, figures(r.Counters)...))
	}
	rows = append(rows, append([]string{"(no route)", "", "monolith"}, figures(st.Default)...))
	if err := writeTable(out, []string{"ROUTE", "MATCH", "STAGE", "MONOLITH", "SERVICE", "FALLBACKS", "FAILED"}, rows); err != nil {
		return err
	}
	printCopies(out, st.Routes)
	printAutomation(out, st.Routes)
	printBurnDown(out, st.BurnDown)
	printAdvice(out, st.Advice)
	writeSteps(out, st.Next)
	return nil
}

// printBurnDown says how far the migration is.
func printBurnDown(out io.Writer, b admin.BurnDown) {
	if b.Endpoints == 0 {
		return
	}
	fmt.Fprintf(out, "moved     %d of %s (%.0f %%), %d of %s of the last 24 hours (%.0f %%)\n",
		b.EndpointsMoved, count(b.Endpoints, "endpoint"), 100*b.EndpointsShare, b.RequestsMoved, counted(b.Requests, "request"), 100*b.RequestsShare)
}

func counted(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
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
