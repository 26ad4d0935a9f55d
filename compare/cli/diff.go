package cli

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/compare"
	"github.com/stranglerfig/toolkit/compare/accept"
	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/compare/report"
	"github.com/stranglerfig/toolkit/internal/program"
)

func (t *tool) diff() *cobra.Command {
	var jf judgeFlags
	var afterRuns int
	cmd := &cobra.Command{
		Use:   "diff BEFORE1 BEFORE2... AFTER",
		Short: "Judge recordings that were made before",
		Long: "Compare recordings: folders of compare record or compare run, or HAR files. The last one is AFTER, the others are\n" +
			"runs of BEFORE, at least two. It asks nobody and reads no clock: the same recordings give the same bytes.",
		Example: "  strangler compare diff compare-out/before-1 compare-out/before-2 compare-out/after-1",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 3 {
				return exactly("BEFORE1", "BEFORE2", "AFTER")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if afterRuns < 1 || len(args)-afterRuns < 2 {
				return program.Fail(program.Usage, "BEFORE needs at least two recordings", "--after-runs %d of %d recordings", afterRuns, len(args))
			}
			opts, err := t.options(jf)
			if err != nil {
				return err
			}
			in, err := openAll(args, afterRuns)
			if err != nil {
				return err
			}
			r, err := t.judge(cmd, in, opts, jf)
			if err != nil {
				return err
			}
			return verdictError(r)
		},
	}
	jf.add(t, cmd)
	cmd.Flags().IntVar(&afterRuns, "after-runs", 1, "how many of the recordings, from the end, are of AFTER")
	return cmd
}

func openAll(paths []string, after int) (in compare.Recordings, err error) {
	for i, path := range paths {
		rec, err := open(path)
		if err != nil {
			return in, err
		}
		if i < len(paths)-after {
			in.Before = append(in.Before, rec)
		} else {
			in.After = append(in.After, rec)
		}
	}
	return in, nil
}

// open reads a folder or a HAR file.
func open(path string) (*record.Recording, error) {
	read := record.OpenLater
	if filepath.Ext(path) == ".har" {
		read = record.OpenHAR
	}
	rec, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, program.Fail(program.Usage, "give the folder of a recording or a .har file", "%w", err)
	case err != nil:
		return nil, program.Fail(program.Usage, "", "%w", err)
	}
	return rec, nil
}

// reportFlag names the report that a command reads.
func reportFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "report", filepath.Join("compare-out", "report.json"), "the report that holds the finding")
}

func readReport(path string) (*report.Report, error) {
	r, err := report.Read(path)
	if err != nil {
		return nil, program.Fail(program.Usage, "name the report with --report", "%w", err)
	}
	return r, nil
}

func (t *tool) explain() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:     "explain ID",
		Short:   "Show all that is known of one finding",
		Example: "  strangler compare explain 3f2a9c1e",
		Args:    exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := readReport(path)
			if err != nil {
				return err
			}
			found, err := r.Explain(cmd.OutOrStdout(), args[0])
			if err == nil && !found {
				return program.Fail(program.Usage, "the report lists the ids", "%s has no finding %q", path, args[0])
			}
			return err
		},
	}
	reportFlag(cmd, &path)
	return cmd
}

func (t *tool) accept() *cobra.Command {
	var path, file string
	var rule accept.Rule
	cmd := &cobra.Command{
		Use:   "accept ID --reason WHY",
		Short: "Accept one finding, so that later comparisons do not fail on it",
		Long: "Write a rule that accepts a finding to the accept file, which belongs into version control. The reason is required;\n" +
			"--until names the last day on which the rule holds. Recordings and tests are never changed.",
		Example: "  strangler compare accept 3f2a9c1e --reason 'prices have two decimals now' --until 2026-12-31",
		Args:    exactly("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := readReport(path)
			if err != nil {
				return err
			}
			f, found := r.Find(args[0])
			if !found {
				return program.Fail(program.Usage, "the report lists the ids", "%s has no finding %q", path, args[0])
			}
			rule.Route, rule.Class, rule.Kind, rule.Part = f.Route, f.Class, string(f.Kind), string(f.Part)
			if err := rule.Check(); err != nil {
				return program.Fail(program.Usage, "", "%w", err)
			}
			if err := accept.Add(file, rule); err != nil {
				return program.Fail(program.Usage, "", "%w", err)
			}
			cmd.Printf("%s now accepts %s in %s %s of %s\n", file, f.Kind, f.Part, f.Class, f.Route)
			return nil
		},
	}
	reportFlag(cmd, &path)
	cmd.Flags().StringVar(&file, "accept-file", accept.Name, "the file to write to")
	cmd.Flags().StringVar(&rule.Reason, "reason", "", "why the difference is wanted")
	cmd.Flags().StringVar(&rule.Until, "until", "", "the last day on which it is accepted, as 2026-12-31")
	cmd.Flags().StringVar(&rule.Owner, "owner", "", "who answers for it")
	return cmd
}
