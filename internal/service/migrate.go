package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/internal/sqlite"
	"github.com/stranglerfig/toolkit/migrations"
)

// MigrateCommand is the command that brings the database of owner to the newest
// schema, or shows with --status which migrations have been applied.
func MigrateCommand(owner, defaultPath string) *cobra.Command {
	var path, output string
	var statusOnly bool
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the database to the newest schema", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return Usage(owner, fmt.Errorf("unknown output %q: use table or json", output))
			}
			db, err := openForMigrate(cmd.Context(), owner, path, defaultPath, statusOnly)
			if err != nil {
				return err
			}
			defer db.Close()
			steps, err := migrations.Status(cmd.Context(), db.Writer(), owner)
			if err != nil {
				return err
			}
			return printSteps(cmd.OutOrStdout(), output, path, steps)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&path, "db", defaultPath, "database `file`")
	flags.BoolVar(&statusOnly, "status", false, "only show which migrations have been applied")
	flags.StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// openForMigrate opens the database; to look only, it must exist and stays as it is.
func openForMigrate(ctx context.Context, owner, path, defaultPath string, statusOnly bool) (*sqlite.DB, error) {
	if !statusOnly {
		return Open(ctx, owner, path, defaultPath)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, program.Fail(program.Usage, fmt.Sprintf(`make it by "%s migrate --db %s"`, owner, path), "there is no database %s", path)
	}
	return sqlite.Open(ctx, path, sqlite.Options{})
}

func printSteps(w io.Writer, output, path string, steps []migrations.Step) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			Schema   int               `json:"schema"`
			Database string            `json:"database"`
			Steps    []migrations.Step `json:"steps"`
		}{1, path, steps})
	}
	for _, step := range steps {
		state := "pending"
		if step.Applied {
			state = "applied"
		}
		fmt.Fprintf(w, "%04d  %-8s %s\n", step.Version, state, step.Source)
	}
	return nil
}
