package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/ownership"
)

func (t *tool) cutoverCommand() *cobra.Command {
	return t.switchCommand(ownership.Target, &cobra.Command{
		Use:   "cutover PLAN",
		Short: "Make the target own the tables, and lead the routes there",
		Long: "Make the target own the tables: park the requests of the plan's routes in the proxies, lock the\n" +
			"source's tables, apply and compare what is left, close the source, open the target, and lead the\n" +
			"routes there. A running engine does it; without one the command does it itself. Whatever goes\n" +
			"wrong, exactly one side owns the tables afterwards, and giving the command again goes on from there.\n" +
			"Until the split is complete, strangler split rollback takes everything back without loss.",
		Example: "  strangler split cutover reviews --dry-run\n  strangler split cutover reviews --yes",
	})
}

func (t *tool) rollbackCommand() *cobra.Command {
	return t.switchCommand(ownership.Source, &cobra.Command{
		Use:   "rollback PLAN",
		Short: "Make the source own the tables again; nothing that was written since is lost",
		Long: "Take the tables back: the steps of a cut-over with exchanged roles. What was written to the target\n" +
			"since then stands in the source, too, so nothing is lost; --dry-run shows what is not there yet and\n" +
			"would be brought over first. The target goes on following, so the next cut-over needs no new copy.",
		Example: "  strangler split rollback reviews --dry-run\n  strangler split rollback reviews --yes",
	})
}

// A switching is what the flags of cutover and rollback say.
type switching struct {
	yes, dry, force bool
	reason          string
	o               split.SwitchOptions
}

func (t *tool) switchCommand(to ownership.Owner, cmd *cobra.Command) *cobra.Command {
	var f switching
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case f.force && f.reason == "":
			return program.Fail(program.Usage, "add --reason", "--force needs a reason, for the history")
		case f.force:
			f.o.Force = f.reason
		}
		f.o.Reason = f.reason
		f.o.Token = t.token()
		j, err := t.open(cmd, args, dryNeed(f.dry))
		if err != nil {
			return err
		}
		defer j.close()
		return t.switchTo(cmd, j, to, f)
	}
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "say what would be done and what stands against it, and change nothing")
	cmd.Flags().BoolVar(&f.force, "force", false, "also when the last comparison is too old")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for the report; needed with --force")
	cmd.Flags().BoolVar(&f.o.Forward, "prefer-forward", false, "finish a switch that was interrupted between its two commits, instead of undoing it")
	return cmd
}

func (t *tool) switchTo(cmd *cobra.Command, j *job, to ownership.Owner, f switching) error {
	name := j.Plan.Split
	p, err := j.Prepare(cmd.Context(), to, f.o)
	if err != nil {
		return err
	}
	if f.dry {
		return showPlan(cmd, p)
	}
	if !p.Owns {
		if !isJSON(cmd) {
			printPlan(cmd.ErrOrStderr(), p)
		}
		if err := confirm(cmd, f.yes, fmt.Sprintf("%s split %s?", p.Command, name)); err != nil {
			return err
		}
	}
	report, err := j.SwitchBy(cmd.Context(), to, f.o)
	switch {
	case errors.Is(err, ownership.ErrOwns):
		fmt.Fprintf(cmd.ErrOrStderr(), "split %s: the %s owns the tables already (epoch %d)\n", name, to, report.Epoch)
	case err != nil:
		return err
	}
	if isJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), SwitchResult{report, afterwards(to, j.Name())})
	}
	if err == nil {
		fmt.Fprintf(cmd.OutOrStdout(), "split %s: the %s owns the tables (epoch %d); clients were held for %s, writers for %s\n",
			name, to, report.Epoch, report.Held.Round(100*time.Microsecond), report.Fenced.Round(100*time.Microsecond))
	}
	next(cmd.OutOrStdout(), afterwards(to, j.Name())...)
	return nil
}

func afterwards(to ownership.Owner, name string) []string {
	if to == ownership.Target {
		return []string{
			"strangler split run " + name + "        # keep the source up to date, for the way back",
			"strangler split rollback " + name + "   # take the tables back",
			"strangler split complete " + name + "   # when the way back is not needed any more",
		}
	}
	return []string{"strangler split run " + name + "       # let the target follow", "strangler split cutover " + name + "   # once more"}
}

// showPlan prints a plan as data; it is refused if anything stands against it.
func showPlan(cmd *cobra.Command, p *split.SwitchPlan) error {
	var err error
	if isJSON(cmd) {
		err = printJSON(cmd.OutOrStdout(), p)
	} else {
		printPlan(cmd.OutOrStdout(), p)
		fmt.Fprintln(cmd.OutOrStdout(), "nothing was changed")
	}
	if err == nil && len(p.Against) > 0 && !p.Owns {
		err = program.Fail(program.Refused, "", "%s of split %s would be refused", p.Command, p.Split)
	}
	return err
}

func printPlan(out io.Writer, p *split.SwitchPlan) {
	if p.Owns {
		fmt.Fprintf(out, "%s of split %s: %s owns the tables already\n", p.Command, p.Split, p.Taker.Name)
		return
	}
	fmt.Fprintf(out, "%s of split %s: from %s to %s\n", p.Command, p.Split, p.Giver.Name, p.Taker.Name)
	for i, s := range p.Steps {
		fmt.Fprintf(out, "  %2d  %-10s %s\n", i+1, s.Step, s.Does)
	}
	fmt.Fprintf(out, "to be brought over first: %d changes; would be lost: %d\n", p.Pending, p.Lost)
	for _, a := range p.Against {
		fmt.Fprintln(out, "against it:", a)
	}
}
