package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stranglerfig/toolkit/internal/program"
)

// Reference is the page that describes every command below root, in Markdown.
func Reference(root *cobra.Command) string {
	root.InitDefaultCompletionCmd()
	var b strings.Builder
	fmt.Fprintf(&b, "# The command line\n\n<!-- Printed from the commands themselves: go test ./cmd/strangler -update -->\n\n%s\n\n", root.Long)
	b.WriteString("Data goes to standard output, talk to standard error. `-o json` prints the same as data, with a `schema` number\nand, where there is one, the next sensible command under `next_steps`. ")
	b.WriteString("Each flag can be given as an environment\nvariable: `STRANGLER_` and its name in capitals, such as `STRANGLER_CONFIG`; the flag wins.\n\n")
	b.WriteString("| exit code | meaning |\n| --- | --- |\n")
	for _, row := range []struct {
		code    int
		meaning string
	}{
		{program.OK, "done"},
		{program.Differs, "found differences, or a check failed"},
		{program.Usage, "wrong usage, a bad configuration or another thing the user can mend; nothing was changed"},
		{program.Unreachable, "could not reach or run what was asked for"},
		{program.Refused, "refused by a guard"},
		{program.Interrupted, "interrupted"},
	} {
		fmt.Fprintf(&b, "| %d | %s |\n", row.code, row.meaning)
	}
	b.WriteString("\nFlags of every command:\n\n")
	writeFlags(&b, root.PersistentFlags())
	describe(&b, root)
	return b.String()
}

// describe writes a section for each command below cmd that does something.
func describe(b *strings.Builder, cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" {
			continue
		}
		if c.Name() == "completion" {
			fmt.Fprintf(b, "\n## %s bash|zsh|fish|powershell\n\n%s. `%s bash --help` says where to put it.\n", c.CommandPath(), c.Short, c.CommandPath())
			continue
		}
		if c.Annotations[onlyGroup] == "" {
			writeCommand(b, c)
		}
		describe(b, c)
	}
}

func writeCommand(b *strings.Builder, c *cobra.Command) {
	use := strings.TrimPrefix(c.Use, c.Name())
	text := c.Short + "."
	if c.Long != "" {
		text = c.Long
	}
	fmt.Fprintf(b, "\n## %s%s\n\n%s\n", c.CommandPath(), use, text)
	if c.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	if c.LocalNonPersistentFlags().HasAvailableFlags() {
		b.WriteString("\n")
		writeFlags(b, c.LocalNonPersistentFlags())
	}
}

func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	b.WriteString("| flag | default | |\n| --- | --- | --- |\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		value := f.DefValue
		if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, value, strings.ReplaceAll(f.Usage, "|", `\|`))
	})
}
