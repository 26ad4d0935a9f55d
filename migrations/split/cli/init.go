package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/migrations/split"
	"github.com/stranglerfig/toolkit/migrations/split/plan"
)

// An initial is what the flags of init say.
type initial struct {
	source, target string
	tables         []string
	dry            bool
}

func (t *tool) initCommand() *cobra.Command {
	var f initial
	cmd := &cobra.Command{
		Use:   "init PLAN --source DSN [--table NAME]…",
		Short: "Write a plan for tables of a database",
		Long: "Without --table, list the tables of a database and how they hang together, to choose from. With\n" +
			"it, write a plan for these: where they are, where they go, and every foreign key that is cut. The\n" +
			"database is only read, and a file that is there is not written over.\n\n" +
			"A DSN is a file of SQLite, or postgres://…. One with a password comes from a variable, as in\n" +
			"--source '${SHOP_DSN}': the plan then names the variable, and nobody reads it in the list of processes.",
		Example: "  strangler split init reviews --source shop.db\n" +
			"  strangler split init reviews --source shop.db --table reviews --table votes\n" +
			"  strangler split init ./reviews.yaml --source postgres://app@db/shop --target postgres://app@db/reviews --table reviews",
		RunE: func(cmd *cobra.Command, args []string) error { return t.init(cmd, args, f) },
	}
	cmd.Flags().StringVar(&f.source, "source", "", "the database that has the tables")
	cmd.Flags().StringVar(&f.target, "target", "", "the one they go to; without it a file of SQLite named like the plan")
	cmd.Flags().StringArrayVar(&f.tables, "table", nil, "a table that moves; several times for several")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "print the plan instead of writing it")
	_ = cmd.MarkFlagRequired("source")
	return cmd
}

func (t *tool) init(cmd *cobra.Command, args []string, f initial) error {
	path, err := t.file(args)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if !plan.IsName(name) {
		return program.Fail(program.Usage, "begin with a small letter; up to 31 of a-z, 0-9, - and _", "a split cannot be called %q", name)
	}
	o := split.SkeletonOptions{Split: name, Called: t.called(args), Tables: f.tables}
	if o.Source, o.SourceText, err = database("source", f.source); err != nil {
		return err
	}
	if len(f.tables) == 0 {
		return t.outline(cmd, t.called(args), f, o.Source)
	}
	if f.target == "" && o.Source.Driver != plan.SQLite {
		return program.Fail(program.Usage, "add --target postgres://…", "the target is missing")
	}
	if f.target == "" {
		f.target = filepath.Join(filepath.Dir(strings.TrimPrefix(o.Source.DSN, "file:")), name+".db")
	}
	if o.Target, o.TargetText, err = database("target", f.target); err != nil {
		return err
	}
	text, err := split.Skeleton(cmd.Context(), o)
	if err != nil {
		return err
	}
	if f.dry {
		_, err := cmd.OutOrStdout().Write(text)
		return err
	}
	if err := create(path, text); err != nil {
		return err
	}
	return written(cmd, path, t.called(args), o)
}

// written says what was done.
func written(cmd *cobra.Command, path, called string, o split.SkeletonOptions) error {
	steps := []string{"strangler split plan " + called}
	if isJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), InitResult{1, o.Split, path, o.Tables, steps})
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: the plan of split %s; read it and mend what you know better\n", path, o.Split)
	next(cmd.OutOrStdout(), steps...)
	return nil
}

// create writes a file that is not there yet.
func create(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return program.Fail(program.Usage, "give this user the right to write there, or name another file", "make the folder of the plan: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if os.IsExist(err) {
		return program.Fail(program.Usage, "give another name, or move it away", "%s is there already", path)
	}
	if err != nil {
		return program.Fail(program.Usage, "give this user the right to write there, or name another file", "write the plan: %w", err)
	}
	_, err = f.Write(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// database is the one that a flag means, and what the plan says of it where that is not
// its DSN, since variables are in it. A password stands in the environment: everybody on
// the machine can read the command line of a program.
func database(flag, text string) (d plan.Database, written string, err error) {
	dsn, problems := plan.Expand(text, os.LookupEnv)
	if len(problems) > 0 {
		return d, "", program.Fail(program.Usage, "export it, or give the DSN itself", "--%s: %s", flag, strings.Join(problems, "; "))
	}
	if dsn != text {
		written = text
	} else if password.MatchString(dsn) {
		return d, "", program.Fail(program.Usage, "export SHOP_DSN='…' with the DSN, and give --"+flag+" '${SHOP_DSN}' in quotes", "--%s: a password on a command line can be read by everybody on this machine", flag)
	}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") || strings.Contains(dsn, "host=") || strings.Contains(dsn, "dbname=") {
		return plan.Database{Driver: plan.PostgreSQL, DSN: dsn}, written, nil
	}
	if !strings.HasPrefix(dsn, "file:") {
		if dsn = "file:" + dsn; written != "" {
			written = "file:" + written
		}
	}
	return plan.Database{Driver: plan.SQLite, DSN: dsn}, written, nil
}

// password is one in a DSN: as libpq's setting, or behind the name in a URL, also in one
// that is not well-formed.
var password = regexp.MustCompile(`(?i)password\s*=|://[^:/?#@]*:[^/?#]+@`)

// outline lists the tables to choose from.
func (t *tool) outline(cmd *cobra.Command, called string, f initial, source plan.Database) error {
	o, err := split.Look(cmd.Context(), source)
	if err != nil {
		return err
	}
	o.Next = []string{"strangler split init " + shellWord(called) + " --source " + shellWord(f.source) + " --table NAME"}
	if isJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), o)
	}
	return printOutline(cmd.OutOrStdout(), o)
}

func printOutline(out io.Writer, o *split.Outline) error {
	fmt.Fprintf(out, "tables of %s (%s)\n\n", o.Source.Name, o.Source.Version)
	rows := [][]string{{"TABLE", "KEY", "ROWS", "REFERS TO", "REFERRED TO BY"}}
	for _, t := range o.Tables {
		key := dash(strings.Join(t.Key, ", "))
		rows = append(rows, []string{t.Name, key, "≈ " + strconv.FormatInt(t.Rows, 10), dash(strings.Join(t.Refers, ", ")), dash(strings.Join(t.By, ", "))})
	}
	if err := table(out, rows); err != nil {
		return err
	}
	for _, t := range o.Tables {
		for _, reason := range t.Refused {
			fmt.Fprintf(out, "cannot be moved: %s: %s\n", t.Name, reason)
		}
	}
	fmt.Fprintln(out)
	next(out, o.Next...)
	return nil
}

// shellWord is a text as a shell takes it for one word.
func shellWord(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=-") == "" && s != "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
