package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/compare"
	"github.com/stranglerfig/toolkit/compare/accept"
	"github.com/stranglerfig/toolkit/compare/openapi"
	"github.com/stranglerfig/toolkit/compare/report"
	"github.com/stranglerfig/toolkit/compare/state"
	"github.com/stranglerfig/toolkit/internal/program"
)

// judgeFlags say how recordings are judged.
type judgeFlags struct {
	failOn  []string
	rules   string
	accept  string
	require []string
	format  string
	out     string
	state   string
	openapi []string
	note    string
}

func (f *judgeFlags) add(t *tool, cmd *cobra.Command) {
	flags := cmd.Flags()
	if t.opts.Note != nil {
		flags.StringVar(&f.note, "compared", "", "file that remembers how the last comparison of each route ended, for route set (default CONFIG.compared.json)")
	}
	flags.StringSliceVar(&f.failOn, "fail-on", []string{"breaking", "order"}, "severities that make the verdict \"different\": breaking, additive, order, format, info; or latency")
	flags.StringVar(&f.rules, "rules", "", "file of rules for what may differ (default "+defaultRules+", if it is there)")
	flags.StringVar(&f.accept, "accept-file", accept.Name, "file of the differences that were accepted")
	flags.StringSliceVar(&f.require, "require-routes", nil, "names of the proxy's routes or of operations, as orders-*, that the suite has to exercise with a success and an error")
	flags.StringVar(&f.state, "state", "", "file that says which databases hold each side's state; their rows are compared, too")
	flags.StringArrayVar(&f.openapi, "openapi", nil, "OpenAPI file, or SERVICE=FILE, whose paths are the templates of routes and whose operations are to be covered")
	flags.StringVar(&f.format, "format", "text", "what to print: text, markdown or github (annotations)")
	flags.StringVar(&f.out, "out", "compare-out", "folder for recordings and reports")
}

// options reads the files that the flags name.
func (t *tool) options(f judgeFlags) (compare.Options, error) {
	known := []string{"breaking", "additive", "order", "format", "info", "latency"}
	for _, s := range f.failOn {
		if !slices.Contains(known, s) {
			return compare.Options{}, program.Fail(program.Usage, "use "+strings.Join(known, ", "), "--fail-on %s", s)
		}
	}
	if !slices.Contains([]string{"text", "markdown", "github"}, f.format) {
		return compare.Options{}, program.Fail(program.Usage, "use text, markdown or github", "--format %s", f.format)
	}
	rules, err := readRules(f.rules)
	if err != nil {
		return compare.Options{}, err
	}
	accepted, err := accept.Read(f.accept)
	if err != nil {
		return compare.Options{}, program.Fail(program.Usage, "", "accepted differences: %w", err)
	}
	spec, err := t.spec(f)
	if err != nil {
		return compare.Options{}, err
	}
	o := compare.Options{Owners: spec.Owners, Rules: rules, FailOn: f.failOn, Accept: accepted, Required: f.require}
	if o.Described, err = described(f.openapi); err != nil {
		return o, err
	}
	required := len(f.require) > 0 && len(o.Described) == 0
	if t.opts.Routes == nil {
		if required {
			return o, program.Fail(program.Usage, "name the service's file with --openapi", "--require-routes: this program knows no routes")
		}
		return o, nil
	}
	table, ok, err := t.opts.Routes()
	if err != nil {
		return o, err
	}
	if !ok && required {
		return o, program.Fail(program.Usage, "name the proxy's configuration with --config, or an OpenAPI file with --openapi", "--require-routes: there is no configuration file")
	}
	o.Table, o.NameOf = table.Routes, table.NameOf
	return o, nil
}

// described reads the files of --openapi, by service.
func described(values []string) (map[string]*openapi.Document, error) {
	all := map[string]*openapi.Document{}
	for _, v := range values {
		service, file := "", v
		if m := namedURL.FindStringSubmatch(v); m != nil {
			service, file = m[1], m[2]
		}
		if all[service] != nil {
			return nil, program.Fail(program.Usage, "give one file for each service, as --openapi orders=FILE", "--openapi: two files for %s", called(service))
		}
		doc, err := openapi.Read(file)
		if err != nil {
			return nil, program.Fail(program.Usage, "", "--openapi: %w", err)
		}
		all[service] = doc
	}
	return all, nil
}

// spec reads the file that --state names.
func (t *tool) spec(f judgeFlags) (state.Spec, error) {
	if f.state == "" {
		return state.Spec{}, nil
	}
	s, err := state.ReadSpec(f.state, t.opts.States)
	if err != nil {
		return s, program.Fail(program.Usage, "", "--state: %w", err)
	}
	return s, nil
}

// gcPercent trades some time for memory while recordings are compared: they are most of what
// there is, and live long.
const gcPercent = 40

// judge compares the recordings, writes the reports and prints one.
func (t *tool) judge(cmd *cobra.Command, in compare.Recordings, o compare.Options, f judgeFlags) (*report.Report, error) {
	o.Today = in.After[len(in.After)-1].Info.Started // not the clock: the same recordings give the same report
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	r, err := compare.Compare(in, o)
	if err != nil {
		return nil, program.Fail(program.Usage, "", "%w", err)
	}
	html := filepath.Join(f.out, "report.html")
	if len(r.Findings) > 0 {
		r.Next = append(r.Next, t.next("explain", r.Findings[0].ID, "--report", filepath.Join(f.out, "report.json")), "open "+quote(html))
	}
	if err := os.MkdirAll(f.out, 0o700); err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	if err := writeReports(r, f.out); err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	if t.opts.Note != nil && len(o.Table) > 0 {
		if err := t.opts.Note(f.note, r); err != nil { // it is only a hint for later
			fmt.Fprintf(cmd.ErrOrStderr(), "warning: what this says about the routes was not remembered: %v\n", err)
		}
	}
	out := cmd.OutOrStdout()
	switch {
	case isJSON(cmd):
		var text []byte
		if text, err = r.JSON(); err == nil {
			_, err = out.Write(text)
		}
	case f.format == "github":
		err = r.GitHub(out)
	case f.format == "markdown":
		err = r.Markdown(out)
	default:
		if err = r.Terminal(out); err == nil {
			fmt.Fprintf(out, "report: %s\n", html)
		}
	}
	return r, err
}

func writeReports(r *report.Report, dir string) error {
	err := r.Write(filepath.Join(dir, "report.json"))
	for _, one := range []struct {
		name  string
		write func(f *os.File) error
	}{
		{"report.html", func(f *os.File) error { return r.HTML(f) }},
		{"report.md", func(f *os.File) error { return r.Markdown(f) }},
		{"junit.xml", func(f *os.File) error { return r.JUnit(f) }},
	} {
		f, openErr := os.OpenFile(filepath.Join(dir, one.name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if openErr != nil {
			return errors.Join(err, openErr)
		}
		err = errors.Join(err, one.write(f), f.Close())
	}
	return err
}
