package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/gateway"
)

func (t *tool) configExport() *cobra.Command {
	var opts gateway.Options
	var to, dir string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the routes for the Kubernetes Gateway API",
		Long: "Write the routes as HTTPRoutes of the Kubernetes Gateway API, to standard output or, with --dir, to a\n" +
			"file each. They take the requests that the routes take here, and send them to the same sides in the same\n" +
			"shares. What HTTPRoutes cannot say, such as a canary that keeps its clients or the monolith answering for\n" +
			"a service, is named on standard error, at the head of the output and in the JSON.\n\n" +
			"A template such as /orders/{id} is no exact path and no prefix. It is left out and named, unless --regex\n" +
			"writes it as a regular expression, which not every gateway knows, or --widen as the prefix /orders.",
		Example: "  strangler config export --to gateway-api --namespace shop --gateway edge > routes.yaml\n" +
			"  strangler config export --to gateway-api --regex --dir deploy/routes",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to != "gateway-api" {
				return program.Fail(program.Usage, "use --to gateway-api", "cannot export to %q", to)
			}
			if opts.Regex && opts.Widen {
				return program.Fail(program.Usage, "leave one of them out", "--regex and --widen exclude each other")
			}
			return t.export(cmd, opts, dir)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&to, "to", "", "the form: gateway-api")
	flags.StringVar(&dir, "dir", "", "write a file for each HTTPRoute into this folder")
	flags.StringVar(&opts.Name, "name", "strangler", "name of the HTTPRoutes; a number is added")
	flags.StringVar(&opts.Namespace, "namespace", "", "namespace of the HTTPRoutes")
	flags.StringVar(&opts.Gateway, "gateway", "strangler", "the Gateway that serves them, NAME or NAMESPACE/NAME")
	flags.BoolVar(&opts.Regex, "regex", false, "write templates as regular expressions")
	flags.BoolVar(&opts.Widen, "widen", false, "write templates as prefixes, which match more")
	flags.BoolVar(&opts.Timeouts, "timeouts", true, "write the services' timeouts; they then bound the whole response")
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions([]string{"gateway-api"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (t *tool) export(cmd *cobra.Command, opts gateway.Options, dir string) error {
	cfg, err := t.readStrict()
	if err != nil {
		return err
	}
	result, err := gateway.Export(cfg, opts)
	if err != nil {
		return program.Fail(program.Usage, "", "%s: %w", cfg.Name, err)
	}
	var files []string
	if dir != "" {
		if files, err = writeRoutes(dir, opts.Name, result); err != nil {
			return program.Fail(program.Unreachable, "", "%w", err)
		}
	}
	for _, d := range result.Differences {
		fmt.Fprintln(cmd.ErrOrStderr(), "not exported:", d.String())
	}
	switch {
	case t.json():
		out := map[string]any{"schema": 1, "differences": result.Differences, "files": nonNil(files)}
		if dir == "" {
			out["routes"] = result.Routes
		}
		return printJSON(cmd, out)
	case dir != "":
		for _, f := range files {
			fmt.Fprintln(cmd.OutOrStdout(), f)
		}
		steps(cmd, []string{"kubectl apply --dry-run=server -f " + quote(dir)})
		return nil
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), result.YAML())
	return err
}

// writeRoutes writes a file for each HTTPRoute, the differences at the head of the
// first. Files of an earlier export that this one has no more are removed: who applies
// the folder would apply them, too.
func writeRoutes(dir, name string, result *gateway.Result) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	files := []string{}
	for i, r := range result.Routes {
		text := gateway.Mark + r.YAML()
		if i == 0 {
			text = (&gateway.Result{Routes: result.Routes[:1], Differences: result.Differences}).YAML()
		}
		path := filepath.Join(dir, r.Metadata.Name+".yaml")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // as readable as any manifest
			return files, err
		}
		files = append(files, path)
	}
	earlier, err := filepath.Glob(filepath.Join(dir, name+"-[0-9]*.yaml"))
	if err != nil {
		return files, err
	}
	for _, path := range earlier {
		if text, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(text), gateway.Mark) && !slices.Contains(files, path) {
			if err := os.Remove(path); err != nil {
				return files, err
			}
		}
	}
	return files, nil
}
