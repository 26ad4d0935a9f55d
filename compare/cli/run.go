package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"

	"github.com/stranglerfig/toolkit/compare"
	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/compare/state"
	"github.com/stranglerfig/toolkit/internal/program"
)

// recordFlags say how a run is made.
type recordFlags struct {
	results string
	urlEnv  []string
	reset   []string
	health  string
	host    string
	headers []string
	header  http.Header // of headers, once they were checked
	timeout time.Duration
	wait    time.Duration
	maxBody int64
	dir     string
	atOnce  bool
	quiet   bool

	interleave bool
}

func (f *recordFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.results, "results", "auto", "how the command tells the outcome of each test: auto, gotest, junit:GLOB, tap or exit")
	flags.StringSliceVar(&f.urlEnv, "url-env", nil, "variables that tell the command its base URL (default BASE_URL), or as NAME=SERVICE that of one of several services (default SERVICE_URL); {{base_url}} and {{base_url:SERVICE}} in its arguments are replaced, too")
	flags.StringArrayVar(&f.reset, "reset", nil, "restores the target's data before each run: a command for the shell, which finds COMPARE_RUN and COMPARE_TARGET (COMPARE_TARGET_SERVICE), or sqlite:FILE, as it is now, or sqlite:FILE=SEED, as that file is")
	flags.StringVar(&f.health, "health", "/healthz", "path at which the target has to answer before a run; any answer below 500 will do")
	flags.StringVar(&f.host, "host", "", "Host to ask the target for, instead of the one the command uses")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "header that each request is sent with besides its own, as 'X-Strangler-Force: service'; it is not recorded (one with a secret: in STRANGLER_HEADER)")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Minute, "how long one run of the command may take")
	flags.DurationVar(&f.wait, "wait", 30*time.Second, "how long to wait for the target")
	flags.Int64Var(&f.maxBody, "max-body", 1<<20, "bytes of a body that are recorded; of longer ones length and hash")
	flags.StringVar(&f.dir, "dir", "", "folder in which the command runs")
	flags.BoolVar(&f.atOnce, "at-once", false, "let go test run tests at the same time; their effects on each other then show as noise")
	flags.BoolVar(&f.quiet, "quiet", false, "do not show what the command prints")
}

func (f *recordFlags) check() error {
	switch r := f.results; {
	case r == "auto", r == "gotest", r == "tap", r == "exit", strings.HasPrefix(r, "junit:") && r != "junit:":
	default:
		return program.Fail(program.Usage, "use auto, gotest, junit:GLOB, tap or exit", "--results %s", r)
	}
	var err error
	if f.header, err = headerOf(f.headers); err != nil {
		return err
	}
	if f.maxBody <= 0 || f.timeout <= 0 || f.wait <= 0 {
		return program.Fail(program.Usage, "give more than nothing", "--max-body %d, --timeout %s, --wait %s", f.maxBody, f.timeout, f.wait)
	}
	return nil
}

// headerOf reads headers as they are given on the command line.
func headerOf(texts []string) (http.Header, error) {
	all := http.Header{}
	for _, text := range texts {
		name, value, found := strings.Cut(text, ":")
		value = strings.TrimSpace(value)
		switch {
		case !found || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			return nil, program.Fail(program.Usage, "give it as 'NAME: VALUE'", "--header %q is no header", text)
		case strings.EqualFold(name, "Host"):
			return nil, program.Fail(program.Usage, "use --host", "--header %q", text)
		}
		all.Add(name, value)
	}
	return all, nil
}

// plan is one run of the command; its flags were checked.
func (f *recordFlags) plan(cmd *cobra.Command, name string, services []record.Service, dir string, args []string, reset *resets, redact *differ.Redactor) record.Plan {
	p := record.Plan{
		Name: name, Services: services, Dir: dir, Results: f.results, Health: f.health, Wait: f.wait,
		Command: record.Command{Args: args, Env: os.Environ(), Dir: f.dir, Timeout: f.timeout},
		Options: record.Options{MaxBody: f.maxBody, Redactor: redact, Host: f.host, Header: f.header},
		AtOnce:  f.atOnce, Reset: reset.steps, Show: cmd.ErrOrStderr(),
	}
	if f.quiet {
		p.Show = io.Discard
	}
	return p
}

func (t *tool) run() *cobra.Command {
	var rf recordFlags
	var jf judgeFlags
	var before, after []string
	var beforeRuns, afterRuns int
	cmd := &cobra.Command{
		Use:   "run --before URL --after URL -- COMMAND...",
		Short: "Run a test command against BEFORE and AFTER and judge what changed",
		Long: "Run a test command against BEFORE twice and against AFTER once, through a recorder, and compare the outcome\n" +
			"of each test and every HTTP exchange. The command needs nothing but a base URL: it is in BASE_URL, and\n" +
			"{{base_url}} in its arguments is replaced. What differs between the two runs of BEFORE is noise and\n" +
			"compared by its kind. A suite that talks to several services gets a URL for each:\n" +
			"--url-env ORDERS_URL=orders --before orders=URL --after orders=URL.\n\n" +
			"Exit codes: 0 the same, 1 different, 2 wrong usage, 3 the runs cannot be compared (the command could not\n" +
			"run, cached tests, no exchange, a reset that failed, a target that cannot be reached), 4 inconclusive (too\n" +
			"noisy, flaky, or required routes not covered). go test is run with -count=1 and one test at a time\n" +
			"(--at-once leaves that to you).",
		Example: "  strangler compare run --before http://127.0.0.1:9000 --after http://127.0.0.1:8080 -- go test ./acceptance/...\n" +
			"  strangler compare run --before $A --after $B --results 'junit:reports/*.xml' -- npm test\n" +
			"  strangler compare run --before $A --after $B -- hurl --test --variable host={{base_url}} suite/*.hurl",
		Args: commandArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(before) == 0 || len(after) == 0 {
				return program.Fail(program.Usage, "usage: "+cmd.CommandPath()+" --before URL --after URL -- COMMAND...", "--before or --after is missing")
			}
			if beforeRuns < 2 || beforeRuns > maxRuns || afterRuns < 1 || afterRuns > maxRuns {
				return program.Fail(program.Usage, "BEFORE has to run at least twice to know its noise", "--before-runs %d, --after-runs %d", beforeRuns, afterRuns)
			}
			if err := rf.check(); err != nil {
				return err
			}
			targets, err := rf.both(before, after)
			if err != nil {
				return err
			}
			opts, err := t.options(jf)
			if err != nil {
				return err
			}
			spec, err := t.spec(jf)
			if err != nil {
				return err
			}
			r := runs{flags: rf, out: jf.out, args: args, targets: targets, times: [2]int{beforeRuns, afterRuns}, spec: spec}
			in, err := t.recordAll(cmd, r)
			if err != nil {
				return err
			}
			verdict, err := t.judge(cmd, in, opts, jf)
			if err != nil {
				return err
			}
			return verdictError(verdict)
		},
	}
	cmd.Flags().StringArrayVar(&before, "before", nil, "URL of the system as it was; of several services NAME=URL for each")
	cmd.Flags().StringArrayVar(&after, "after", nil, "URL of the system as it is now; of several services NAME=URL for each")
	cmd.Flags().IntVar(&beforeRuns, "before-runs", 2, "how often to run against BEFORE; more find more of its noise")
	cmd.Flags().IntVar(&afterRuns, "after-runs", 1, "how often to run against AFTER")
	cmd.Flags().BoolVar(&rf.interleave, "interleave", false, "run against BEFORE and AFTER in turns, so that what only time changes does not look slower")
	rf.add(cmd)
	jf.add(t, cmd)
	return cmd
}

const maxRuns = 50

func commandArgs(cmd *cobra.Command, args []string) error {
	if at := cmd.ArgsLenAtDash(); at > 0 {
		return program.Fail(program.Usage, "the test command comes after --", "unexpected argument %q", args[0])
	}
	if len(args) == 0 {
		return program.Fail(program.Usage, "give it after --, as -- go test ./acceptance/...", "the test command is missing")
	}
	return nil
}

// runs are all runs of one comparison; what has two is of BEFORE and of AFTER.
type runs struct {
	flags   recordFlags
	out     string
	args    []string
	targets [2][]record.Service
	times   [2]int
	spec    state.Spec
}

// order says which side each run is of: BEFORE's runs first, or in turns, so that what only
// time changes (a machine that grows warm, a table that fills) falls on both.
func (r *runs) order() (sides []int) {
	left := r.times
	for left[0]+left[1] > 0 {
		for side := range left {
			for left[side] > 0 {
				sides = append(sides, side)
				if left[side]--; r.flags.interleave {
					break
				}
			}
		}
	}
	return sides
}

// recordAll makes every run. One that is worthless ends it: the others would only take time.
func (t *tool) recordAll(cmd *cobra.Command, r runs) (in compare.Recordings, err error) {
	reset, err := t.resets(cmd.Context(), r.flags.reset)
	defer reset.close()
	if err != nil {
		return in, err
	}
	redact := differ.NewRedactor([]byte(rand.Text()))
	databases := [2][]state.Database{r.spec.Before, r.spec.After}
	lists := [2]*[]*record.Recording{&in.Before, &in.After}
	for _, side := range r.order() {
		name, n := [...]string{"before", "after"}[side], len(*lists[side])+1
		p := r.flags.plan(cmd, fmt.Sprintf("%s %d", name, n), r.targets[side], filepath.Join(r.out, fmt.Sprintf("%s-%d", name, n)), r.args, reset, redact)
		if list := databases[side]; len(list) > 0 {
			p.State = func(ctx context.Context, dir string) error {
				return state.Save(ctx, dir, list, r.spec, t.opts.States, redact)
			}
		}
		rec, err := t.recordOne(cmd, p)
		if err != nil {
			return in, err
		}
		*lists[side] = append(*lists[side], rec)
		if rec.Info.Problem != "" {
			return complete(in), nil
		}
	}
	return in, nil
}

// complete lets a comparison that ended early be reported: what is missing is the last run.
func complete(in compare.Recordings) compare.Recordings {
	if len(in.After) == 0 {
		last := len(in.Before) - 1
		in.After = in.Before[last:]
		in.Before = in.Before[:max(last, 1)]
	}
	return in
}

func (t *tool) recordOne(cmd *cobra.Command, p record.Plan) (*record.Recording, error) {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", p.Name, record.Targets(p.Services))
	info, err := record.Run(cmd.Context(), p)
	if err != nil {
		return nil, runError(cmd.Context(), err)
	}
	if info.Problem == "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d exchanges in %.1fs\n", p.Name, info.Exchanges, info.Ended.Sub(info.Started).Seconds())
	}
	rec, err := record.OpenLater(p.Dir)
	if err != nil {
		return nil, program.Fail(program.Unreachable, "", "read the recording: %w", err)
	}
	return rec, nil
}

func runError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return cmp.Or(ctx.Err(), err)
	}
	return program.Fail(program.Unreachable, "", "%w", err)
}

func (t *tool) record() *cobra.Command {
	var rf recordFlags
	var out, name string
	var target []string
	cmd := &cobra.Command{
		Use:   "record --target URL --out DIR -- COMMAND...",
		Short: "Run a test command once through the recorder, without a verdict",
		Long: "Run a test command once and keep what passes in a folder, for compare diff. Secrets are kept as hashes that tell\n" +
			"equal ones within one recording.",
		Example: "  strangler compare record --target http://127.0.0.1:9000 --out var/before-1 -- go test ./acceptance/...",
		Args:    commandArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(target) == 0 || out == "" {
				return program.Fail(program.Usage, "usage: "+cmd.CommandPath()+" --target URL --out DIR -- COMMAND...", "--target or --out is missing")
			}
			if err := rf.check(); err != nil {
				return err
			}
			services, err := rf.services("--target", target)
			if err != nil {
				return err
			}
			reset, err := t.resets(cmd.Context(), rf.reset)
			defer reset.close()
			if err != nil {
				return err
			}
			rec, err := t.recordOne(cmd, rf.plan(cmd, cmp.Or(name, filepath.Base(out)), services, out, args, reset, differ.NewRedactor([]byte(rand.Text()))))
			if err != nil {
				return err
			}
			if rec.Info.Problem != "" {
				return program.Fail(program.Unreachable, "", "the recording is not valid: %s", rec.Info.Problem)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d exchanges, %d tests\n", out, rec.Info.Exchanges, len(rec.Outcomes.Tests))
			fmt.Fprintln(cmd.OutOrStdout(), "next: "+t.next("diff", out, "BEFORE2", "AFTER"))
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&target, "target", nil, "URL of the system; of several services NAME=URL for each")
	cmd.Flags().StringVar(&out, "out", "", "folder of the recording")
	cmd.Flags().StringVar(&name, "name", "", "what reports call the run (default the folder's name)")
	rf.add(cmd)
	return cmd
}
