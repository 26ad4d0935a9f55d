package cli

import (
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/compare/differ"
	"github.com/stranglerfig/toolkit/compare/record"
	"github.com/stranglerfig/toolkit/internal/program"
)

func (t *tool) replay() *cobra.Command {
	var out string
	var target []string
	cmd := &cobra.Command{
		Use:   "replay RECORDING --target URL --out DIR",
		Short: "Send the requests of a recording again and record the answers",
		Long: "Send the requests of a recording (a folder or a HAR file) again, one after the other, and record the answers for\n" +
			"compare diff. Identifiers and tokens that the target makes anew replace the recorded ones in later requests.\n" +
			"A recording holds hashes in place of secrets: what a client knew beforehand, such as a password, is sent as its\n" +
			"hash, and such requests are counted. Writes are sent, too: aim at a system that may be changed.",
		Example: "  strangler compare replay compare-out/before-1 --target http://127.0.0.1:8080 --out var/replayed",
		Args:    exactly("RECORDING"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(target) == 0 || out == "" {
				return program.Fail(program.Usage, "usage: "+cmd.CommandPath()+" RECORDING --target URL --out DIR", "--target or --out is missing")
			}
			services, err := serviceURLs("--target", target)
			if err != nil {
				return err
			}
			rec, err := open(args[0])
			if err != nil {
				return err
			}
			if err := rec.Load(); err != nil {
				return program.Fail(program.Usage, "", "%w", err)
			}
			r, err := record.Replay(cmd.Context(), rec, services, out, record.Options{Redactor: differ.NewRedactor([]byte(rand.Text()))})
			if err != nil {
				return runError(cmd.Context(), err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d requests sent\n", out, r.Sent)
			if r.Skipped > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "note: %d requests were left out: the recording does not hold them whole, or --target does not name their service\n", r.Skipped)
			}
			if r.Secrets > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "note: %d requests carried hashes in place of secrets\n", r.Secrets)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "next: "+t.next("diff", args[0], "BEFORE2", out))
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&target, "target", nil, "URL of the system; of several services NAME=URL for each")
	cmd.Flags().StringVar(&out, "out", "", "folder of the new recording")
	return cmd
}
