package cli

import (
	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
)

func configSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration file",
		Long: "Print the JSON Schema (draft-07) of the configuration file, by which editors complete keys, show what\n" +
			"they mean and mark mistakes. What only the whole file can tell, config check tells.",
		Example: "  strangler config schema > strangler.schema.json\n" +
			"  # and as the first line of strangler.yaml, for the YAML language server:\n" +
			"  # yaml-language-server: $schema=strangler.schema.json",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return printJSON(cmd, config.Schema()) },
	}
}
