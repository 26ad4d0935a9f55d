package cli_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	_ "github.com/stranglerfig/toolkit/internal/sqlite" // the driver of the command sql
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/migrations/split/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"strangler": func() { os.Exit(program.Run("strangler", os.Stderr, strangler)) },
		"sql":       func() { os.Exit(program.Run("sql", os.Stderr, runSQL)) },
	})
}

// strangler is as much of the program as these tests need.
func strangler(ctx context.Context) error {
	root := &cobra.Command{Use: "strangler", SilenceUsage: true, SilenceErrors: true}
	root.PersistentFlags().StringP("output", "o", "table", "")
	root.AddCommand(cli.Command(cli.Options{LookupEnv: os.LookupEnv}))
	root.SetArgs(os.Args[1:])
	err := root.ExecuteContext(ctx)
	var problems *yamldoc.ProblemsError
	if errors.As(err, &problems) {
		return program.Fail(program.Usage, "", "%w", problems)
	}
	return err
}

// runSQL is what an application does: sql FILE executes standard input, and sql FILE
// QUERY prints the first column of what the query finds.
func runSQL(ctx context.Context) error {
	db, err := sql.Open("sqlite3", "file:"+os.Args[1]+"?_foreign_keys=on&_busy_timeout=5000")
	if err != nil {
		return err
	}
	defer db.Close()
	if len(os.Args) == 2 {
		script, err := io.ReadAll(os.Stdin)
		if err == nil {
			_, err = db.ExecContext(ctx, string(script))
		}
		return err
	}
	rows, err := db.QueryContext(ctx, os.Args[2])
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		fmt.Println(line)
	}
	return rows.Err()
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true})
}
