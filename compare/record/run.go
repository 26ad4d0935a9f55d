package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stranglerfig/toolkit/compare/outcome"
	"github.com/stranglerfig/toolkit/compare/state"
)

// A Plan says what to record.
type Plan struct {
	Name    string // "before 1"
	Dir     string // of the recording; it is made, and must hold nothing else
	Command Command
	// Services are what the suite talks to, at least one. The first, if it names no variables for
	// its URL, has BASE_URL.
	Services []Service
	Results  string // auto, gotest, junit:GLOB, tap or exit; empty is auto
	AtOnce   bool   // leave it to go test how many tests run at a time
	Health   string // path at which the target has to answer first; empty means /healthz
	Wait     time.Duration
	Reset    []Reset // what restores the targets' data, in order; none leaves it as it is
	Options  Options
	Show     io.Writer // where the command's own words go; nil discards
	// State, if not nil, is called once the command has ended, to note the state of the
	// databases in the folder.
	State func(ctx context.Context, dir string) error
}

// A Reset is one step of restoring data: a command, or a function.
type Reset struct {
	Command []string
	Restore func(ctx context.Context) error
}

// Run restores the target, waits for it, runs the command against a recorder and writes the
// recording. What makes the run worthless (a reset that failed, a command that cannot
// start, cached tests, no exchange) is Info.Problem and no error; an error means that there
// is no recording to speak of, or that ctx ended.
func Run(ctx context.Context, p Plan) (Info, error) {
	if err := checkServices(p.Services); err != nil {
		return Info{}, err
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return Info{}, fmt.Errorf("recording: %w", err)
	}
	if err := clean(p.Dir); err != nil {
		return Info{}, err
	}
	p = p.orDefault()
	r := &run{Plan: p, info: Info{
		Schema: 1, Name: p.Name, Command: words(p.Command.Args, p.Options), Results: p.Results,
		Started: p.Options.Now().UTC(), Status: Running,
	}}
	r.info.setServices(p.Services)
	if err := r.save(); err != nil {
		return r.info, err
	}
	err := r.do(ctx)
	r.info.Ended = p.Options.Now().UTC()
	if ctx.Err() != nil {
		r.info.Status = Interrupted
	} else if err := writeHAR(r.Dir, &r.info); err != nil {
		r.problem("%s: %s could not be written: %v", r.Name, harFile, err)
	}
	return r.info, errors.Join(ctx.Err(), err, r.save())
}

func (p Plan) orDefault() Plan {
	p.Options = p.Options.orDefault()
	if p.Health == "" {
		p.Health = "/healthz"
	}
	if p.Wait == 0 {
		p.Wait = 30 * time.Second
	}
	if p.Results == "" {
		p.Results = "auto"
	}
	if p.Show == nil {
		p.Show = io.Discard
	}
	p.Services = slices.Clone(p.Services)
	if first := &p.Services[0]; len(first.URLEnv) == 0 {
		first.URLEnv = []string{"BASE_URL"}
	}
	return p
}

// clean removes the files of an older recording, and nothing else.
func clean(dir string) error {
	for _, name := range [...]string{infoFile, exchangesFile, outcomesFile, state.File, outputFile, errorsFile, resetFile, harFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("recording: %w", err)
		}
	}
	return nil
}

func words(args []string, o Options) []string {
	shown := make([]string, len(args))
	for i, a := range args {
		shown[i] = o.Redactor.Text(a)
	}
	return shown
}

type run struct {
	Plan
	info Info
}

func (r *run) save() error { return writeJSON(filepath.Join(r.Dir, infoFile), &r.info) }

func (r *run) problem(format string, args ...any) {
	if r.info.Problem == "" {
		r.info.Problem = r.Options.Redactor.Text(fmt.Sprintf(format, args...))
	}
}

func (r *run) do(ctx context.Context) error {
	for _, step := range r.Reset {
		if err := r.reset(ctx, step); err != nil {
			r.problem("%s: the reset failed: %v", r.Name, err)
			return nil
		}
	}
	for _, s := range r.Services {
		if err := r.reach(ctx, s.Target); err != nil {
			r.problem("%s: %s cannot be reached: %v", r.Name, s.orTarget(), err)
			return nil
		}
	}
	all, err := newRecorders(ctx, r.Services, r.Dir, r.Options)
	if err != nil {
		return err
	}
	r.info.setServices(all.services)
	runErr := r.command(ctx, all)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	written, lost, err := all.close(closing)
	r.info.Exchanges, r.info.Lost = written, lost
	if err != nil || ctx.Err() != nil {
		return err
	}
	r.judge(runErr)
	if r.State != nil && r.info.Problem == "" {
		if err := r.State(ctx, r.Dir); err != nil {
			r.problem("%s: the state of the databases could not be read: %v", r.Name, err)
		}
	}
	return nil
}

// judge notes what makes the run worthless.
func (r *run) judge(runErr error) {
	r.info.Status = Complete
	if runErr != nil {
		if errors.Is(runErr, ErrTimeout) {
			r.info.Status = TimedOut
		}
		r.problem("%s: %v", r.Name, runErr)
		return
	}
	outcomes, err := r.outcomes()
	if err != nil {
		r.problem("%s: the outcomes cannot be read: %v", r.Name, err)
		return
	}
	if err := writeJSON(filepath.Join(r.Dir, outcomesFile), outcomes); err != nil {
		r.problem("%s: %v", r.Name, err)
	}
	switch {
	case len(outcomes.Cached) > 0:
		r.problem("%s: go test took the results of %s from its cache and ran nothing; add -count=1", r.Name, strings.Join(outcomes.Cached, ", "))
	case r.info.Exchanges == 0:
		r.problem("%s: no request came to the recorder; does the command take its address from %s or {{base_url}}?", r.Name, strings.Join(r.urlEnv(), ", "))
	case r.info.Lost > 0:
		r.problem("%s: %d exchanges could not be written", r.Name, r.info.Lost)
	case len(outcomes.Tests) == 0:
		r.problem("%s: the command ran no test", r.Name)
	}
}

func (r *run) urlEnv() (names []string) {
	for _, s := range r.Services {
		names = append(names, s.URLEnv...)
	}
	return names
}

// reset does one step. A command may start the target anew: what it leaves running stays, and
// writes into a file that outlives the run.
func (r *run) reset(ctx context.Context, step Reset) error {
	if step.Restore != nil {
		return step.Restore(ctx)
	}
	out, err := os.OpenFile(filepath.Join(r.Dir, resetFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	c := Command{
		Args: step.Command, Dir: r.Command.Dir, Timeout: 10 * time.Minute, Stdout: out, Stderr: out, Keep: true,
		Env: append(slices.Clone(r.Command.Env), resetVariables(r.Name, r.Services)...),
	}
	code, err := c.Run(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit code %d; see %s", strings.Join(step.Command, " "), code, filepath.Join(r.Dir, resetFile))
	}
	return err
}

// reach waits until a target answers at Health with anything but a server error.
func (r *run) reach(ctx context.Context, target string) error {
	ctx, cancel := context.WithTimeout(ctx, r.Wait)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(target, "/")+r.Health, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode < http.StatusInternalServerError {
				return nil
			}
			err = fmt.Errorf("GET %s answers %s", r.Health, res.Status)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// command runs the test command with the recorders' URLs.
func (r *run) command(ctx context.Context, all *recorders) error {
	c := r.Command
	c.Args = slices.Clone(c.Args)
	for i := range c.Args {
		c.Args[i] = all.fillIn(c.Args[i])
	}
	c.Env = uncached(slices.Concat(c.Env, all.variables()))
	if r.Results == "auto" || r.Results == "gotest" {
		c.Args = asEvents(c.Args)
	}
	if !r.AtOnce {
		c.Args = oneByOne(c.Args)
	}
	out, err := newLog(filepath.Join(r.Dir, outputFile), r.Options.Redactor, r.Show)
	if err != nil {
		return err
	}
	errs, err := newLog(filepath.Join(r.Dir, errorsFile), r.Options.Redactor, r.Show)
	if err != nil {
		out.close()
		return err
	}
	c.Stdout, c.Stderr = out, errs
	r.info.ExitCode, err = c.Run(ctx)
	out.close()
	errs.close()
	return err
}

func (r *run) outcomes() (outcome.Outcomes, error) {
	how := r.Results
	if glob, ok := strings.CutPrefix(how, "junit:"); ok {
		if r.Command.Dir != "" && !filepath.IsAbs(glob) {
			glob = filepath.Join(r.Command.Dir, glob)
		}
		return outcome.JUnitFiles(glob)
	}
	f, err := os.Open(filepath.Join(r.Dir, outputFile))
	if err != nil {
		return outcome.Outcomes{}, err
	}
	defer f.Close()
	if how == "auto" {
		head := make([]byte, 64<<10)
		n, err := io.ReadFull(f, head)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return outcome.Outcomes{}, err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return outcome.Outcomes{}, err
		}
		how = outcome.Detect(head[:n])
		r.info.Results = how
	}
	switch how {
	case "gotest":
		return outcome.GoTest(f)
	case "tap":
		return outcome.TAP(f)
	}
	return outcome.Exit(r.info.ExitCode), nil
}
