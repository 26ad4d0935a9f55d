package cli_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/pgtest"
	"github.com/stranglerfig/toolkit/internal/program"
	_ "github.com/stranglerfig/toolkit/internal/sqlite" // the driver of the command sql
	"github.com/stranglerfig/toolkit/internal/yamldoc"
	"github.com/stranglerfig/toolkit/migrations/split/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"strangler": func() { os.Exit(program.Run("strangler", os.Stderr, strangler)) },
		"sql":       func() { os.Exit(program.Run("sql", os.Stderr, runSQL)) },
		"schema":    func() { os.Exit(program.Run("schema", os.Stderr, printSchema)) },
		"await":     func() { os.Exit(program.Run("await", os.Stderr, await)) },
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

// runSQL is what an application does: sql FILE executes standard input, sql FILE -f SCRIPT
// a script, and sql FILE QUERY prints the first column of what the query finds. Instead of
// a file it may be the DSN of a database of PostgreSQL.
func runSQL(ctx context.Context) error {
	driver, dsn := "sqlite3", "file:"+os.Args[1]+"?_foreign_keys=on&_busy_timeout=5000"
	if strings.HasPrefix(os.Args[1], "postgres:") {
		driver, dsn = "pgx", os.Args[1]
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if len(os.Args) == 2 || os.Args[2] == "-f" {
		var script []byte
		if len(os.Args) == 2 {
			script, err = io.ReadAll(os.Stdin)
		} else {
			script, err = os.ReadFile(os.Args[3])
		}
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

// await TEXT COMMAND… gives a command again and again until it prints TEXT.
func await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		out, _ := exec.CommandContext(ctx, os.Args[2], os.Args[3:]...).CombinedOutput() // it may fail until then
		if strings.Contains(string(out), os.Args[1]) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%q does not come; the last answer was:\n%s", os.Args[1], out)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// printSchema prints the schema of a database of PostgreSQL, without the words that
// pg_dump makes up anew each time.
func printSchema(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "pg_dump", "--schema-only", os.Args[1]).Output()
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, `\restrict`) && !strings.HasPrefix(line, `\unrestrict`) {
			fmt.Print(line)
		}
	}
	return err
}

// TestPostgreSQL runs the scripts that need a server, each with databases of its own.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/pg", RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("SOURCE", server.Database(t))
			env.Setenv("TARGET", server.Database(t))
			env.Setenv("WANT", server.Database(t)) // to make a schema in that is expected
			env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+filepath.Dir(server.Program("pg_dump")))
			return nil
		},
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true})
}
