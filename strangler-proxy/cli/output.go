package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func (t *tool) json() bool { return t.output == "json" }

func printJSON(cmd *cobra.Command, v any) error {
	encoder := json.NewEncoder(cmd.OutOrStdout())
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// table prints rows under a header, in columns.
func table(cmd *cobra.Command, header []string, rows [][]string) error {
	return writeTable(cmd.OutOrStdout(), header, rows)
}

func writeTable(out io.Writer, header []string, rows [][]string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return w.Flush()
}

// steps prints the next sensible commands.
func steps(cmd *cobra.Command, commands []string) { writeSteps(cmd.OutOrStdout(), commands) }

func writeSteps(out io.Writer, commands []string) {
	for i, c := range commands {
		lead := "next: "
		if i > 0 {
			lead = "      "
		}
		fmt.Fprintln(out, lead+c)
	}
}

// command is a command line of this program for the user to copy, with --config when
// it is not the default.
func (t *tool) command(words ...string) string {
	words = append([]string{t.name}, words...)
	if t.config != "strangler.yaml" {
		words = append(words, "--config", t.config)
	}
	for i, w := range words {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// quote makes a word safe to paste into a shell.
func quote(w string) string {
	if w != "" && !strings.ContainsFunc(w, func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=@%+,", r)
	}) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
